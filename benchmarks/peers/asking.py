"""Ask the supplier what became of orders: `python -m benchmarks.peers.asking REFERENCE…`, in Holdfast's environment.

Prints a JSON object, reference → what it answered.  Of the first reference Holdfast has an order; what it asked for
there it asks for in all of them.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

import django


def ask(references: Sequence[str]) -> dict[str, str]:
    """Reference → outcome, by read-backs through the gateway."""
    # Models can be imported only after django.setup().
    from inventory import claims  # noqa: PLC0415
    from inventory.models import Allocation  # noqa: PLC0415
    from suppliers import gateway  # noqa: PLC0415
    from suppliers.models import Supplier  # noqa: PLC0415

    supplier = Supplier.objects.get()
    claim = claims.find(supplier, references[0], list(Allocation.State.values))
    if claim is None:
        return {}
    asked = {reference: replace(claim.request, reference=reference) for reference in references}
    upstream = gateway.for_supplier(supplier)
    return {reference: str(upstream.readback(request).outcome) for reference, request in asked.items()}


if __name__ == "__main__":
    django.setup()
    print(json.dumps(ask(sys.argv[1:])))
