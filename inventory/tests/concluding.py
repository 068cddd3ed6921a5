"""A worker of its own, to be killed: python -m inventory.tests.concluding SUPPLIER_ID NAME EFFECT_ID

Writes down that the supplier refused the order for lack of stock.
"""

import os
import sys

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "inventory_project.settings")
    django.setup()

from inventory import claims
from suppliers.models import Supplier
from suppliers.readings import ConfirmResult, Outcome


def main() -> None:
    supplier_id, name, effect_id = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    claimed = claims.find(Supplier.objects.get(pk=supplier_id), name, ["sending"])
    assert claimed
    claims.conclude(claimed, ConfirmResult(Outcome.REJECTED_STOCK), [effect_id])


if __name__ == "__main__":
    main()
