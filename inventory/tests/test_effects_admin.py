"""The states in which the admin shows effects."""

import pytest

from inventory.models import Effect

pytestmark = pytest.mark.django_db(transaction=True)
EFFECTS = "/admin/inventory/effect/"


@pytest.mark.parametrize("attempts", [0, 1])
def test_what_was_not_tried_only_waits(sign_in, attempts):
    Effect.objects.create(kind="sync", target="1", attempts=attempts, error="waits for the next full snapshot")
    client, failed = sign_in("ops"), attempts > 0
    assert (">failed<" in "".join(client.get(EFFECTS).content.decode().split())) is failed
    assert ("waits for the next" in client.get(f"{EFFECTS}?state=failed").content.decode()) is failed
