"""By what a SKU's levels are chosen when several could serve an order."""

import enum


class Strategy(enum.StrEnum):
    """Ties go to the lower priority number, then to the older offer."""

    PRIORITY = "priority"
    MOST_AVAILABLE = "most_available"
    FRESHEST = "freshest"
    FASTEST = "fastest"
    FEWEST_PARTS = "fewest_parts"

    @property
    def label(self) -> str:
        """For a person."""
        return _LABELS[self]


_LABELS = {
    Strategy.PRIORITY: "lowest priority number first",
    Strategy.MOST_AVAILABLE: "most available first",
    Strategy.FRESHEST: "freshest number first",
    Strategy.FASTEST: "shortest lead time first",
    Strategy.FEWEST_PARTS: "fewest parts",
}
CHOICES = [(strategy.value, strategy.label) for strategy in Strategy]
