import pytest

from orders.lines import Fate, LineState, Part, fate

PLACED, CONFIRMED, AT_RISK, CANCELLED = LineState


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([Part("a", 5, "committed")], Fate(PLACED)),
        ([Part("a", 3, "confirmed"), Part("b", 2, "sending")], Fate(PLACED)),
        ([Part("a", 3, "confirmed"), Part("b", 2, "settled")], Fate(CONFIRMED)),
        ([Part("a", 5, "lost"), Part("b", 5, "confirmed")], Fate(CONFIRMED)),
        ([Part("a", 5, "lost", at_risk=5)], Fate(AT_RISK, at_risk=5)),
        ([Part("a", 5, "lost", at_risk=2), Part("b", 3, "confirmed")], Fate(AT_RISK, at_risk=2)),
        ([Part("a", 3, "confirmed"), Part("a", 2, "lost")], Fate(CONFIRMED, cancelled=2)),
        ([Part("a", 2, "lost"), Part("b", 3, "lost", at_risk=1)], Fate(AT_RISK, at_risk=1, cancelled=4)),
        ([Part("a", 5, "lost")], Fate(CANCELLED, cancelled=5)),
    ],
)
def test_a_line_is_what_its_promises_say(parts, expected):
    assert fate(5, parts) == expected


def test_a_cancelled_order_has_cancelled_lines_whatever_upstream_makes_of_it():
    assert fate(5, [Part("a", 5, "confirmed")], order_cancelled=True) == Fate(CANCELLED, cancelled=5)
