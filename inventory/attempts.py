"""Under which name a supplier is told of an order.

A supplier takes a name once: told again, it may answer for the order that it knows.  What moves to a supplier that was
told of the order already goes there under a name of its own: the reference, a dot, and which attempt it is.
"""

# Of an allocation, in SQL.
NAME = "allocation.reference || CASE WHEN allocation.attempt > 1 THEN '.' || allocation.attempt ELSE '' END"


def name(reference: str, attempt: int) -> str:
    """reference: without a dot.  attempt: from 1 on, counted at each supplier."""
    return reference if attempt == 1 else f"{reference}.{attempt}"


def split(told: str) -> tuple[str, int]:
    """The reference of the order, and the attempt."""
    reference, _, attempt = told.partition(".")
    return reference, int(attempt or 1)
