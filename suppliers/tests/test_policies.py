"""How far a supplier is believed: what the admin and the database refuse."""

import pytest
from django.db import IntegrityError, transaction

from suppliers.models import Supplier
from suppliers.tests.supplier_forms import config, form_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def supplier(make_supplier):
    return make_supplier("acme", config=config())


@pytest.fixture
def page(supplier):
    return f"/admin/suppliers/supplier/{supplier.pk}/change/"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"buffer": -1}, "greater than or equal to 0"),
        ({"haircut": "1.1"}, "less than or equal to 1"),
        ({"haircut": "0"}, "greater than or equal to 0.001"),
        ({"sentinel_at": 0}, "greater than or equal to 1"),
        ({"sentinel_cap": -1}, "greater than or equal to 0"),
        ({"jump_ratio": "0.5"}, "greater than or equal to 1"),
        ({"mass_zero_share": "1.1"}, "less than or equal to 1"),
        ({"mass_jump_share": "-0.1"}, "greater than or equal to 0"),
        ({"jump_units": -1}, "greater than or equal to 0"),
        ({"stale_cap": -1}, "greater than or equal to 0"),
        ({"buffer_target": 0}, "greater than or equal to 0.00001"),
        ({"buffer_target": 1}, "less than or equal to 0.99999"),
        ({"buffer_cold_start": -1}, "greater than or equal to 0"),
        ({"buffer_at_least": -1}, "greater than or equal to 0"),
        ({"buffer_at_most": 1_001}, "less than or equal to 1000"),
    ],
)
def test_a_bad_policy_is_refused_with_what_is_allowed(admin_client, supplier, page, bad, message):
    answer = admin_client.post(page, form_of(**bad))
    (field,) = bad
    assert message in "\n".join(answer.context["adminform"].form.errors[field])


@pytest.mark.parametrize("bad", [{"buffer_at_least": 3}, {"buffer_at_most": 1}])
def test_bounds_of_learned_buffers_that_cross_are_refused(admin_client, supplier, page, bad):
    answer = admin_client.post(page, form_of(**bad))
    message = "Learned buffers need: at least ≤ at the start ≤ at most ≤ 1,000."
    assert message in "\n".join(answer.context["adminform"].form.non_field_errors())


def test_a_hard_jump_below_a_jump_is_refused(admin_client, supplier, page):
    answer = admin_client.post(page, form_of(jump_ratio=5, hard_jump_ratio=4))
    assert "A hard jump is no smaller than a jump." in "\n".join(answer.context["adminform"].form.non_field_errors())


@pytest.mark.parametrize(
    "bad",
    [
        {"buffer": -1},
        {"haircut": 2},
        {"haircut": 0},
        {"sentinel_at": 0},
        {"sentinel_cap": -1},
        {"jump_ratio": 0},
        {"stale_cap": -1},
        {"buffer_target": 0},
        {"buffer_target": 1},
        {"buffer_cold_start": 21},
        {"buffer_at_least": 3},
        {"buffer_at_most": 1_001},
    ],
)
def test_the_database_refuses_a_bad_policy_too(supplier, bad):
    with pytest.raises(IntegrityError), transaction.atomic():
        Supplier.objects.filter(pk=supplier.pk).update(**bad)
