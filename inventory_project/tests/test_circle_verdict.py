"""The full circle can fail: each step at which both sides differ is named."""

from benchmarks.peers.circle import Step, as_table, problems

EQUAL = Step("snapshot", {"A": 3, "B": 2}, {"A": 3, "B": 2})
UNEQUAL = Step("cancel", [], [2])


def test_equal_figures_are_no_problem():
    assert problems([EQUAL]) == []
    assert "| snapshot | 5 units of 2 products | 5 units of 2 products | equal |" in as_table([EQUAL])


def test_a_step_at_which_they_differ_is_named():
    assert problems([EQUAL, UNEQUAL]) == ["cancel: Holdfast [], the shop [2]"]
    one_differs = Step("snapshot", {"A": 3, "B": 2}, {"A": 3, "B": 1})
    assert problems([one_differs]) == ["snapshot: Holdfast {'B': 2}, the shop {'B': 1}"]
    assert "| cancel | [] | [2] | NOT EQUAL |" in as_table([EQUAL, UNEQUAL])
