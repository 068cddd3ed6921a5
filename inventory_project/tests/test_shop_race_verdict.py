"""The verdict of `make e2e` can fail: every kind of broken promise is named."""

from dataclasses import replace

import pytest

from benchmarks.peers.oscar.report import as_json, as_table
from benchmarks.peers.oscar.results import Ledger, Promise, Results, Round, judge

CONTROL = Round("ALONE-01", stock=5, sold=11, refused=4, failed=0)
BEHIND = Round("BEHIND-01", stock=5, sold=2, refused=13, failed=0, reported=2)
BESIDE = Round("BESIDE-01", stock=5, sold=2, refused=13, failed=0, reported=5, elsewhere=4)
TAKEN = Promise("BEHIND-01", "A", 2, "settled", 0)
ALSO_TAKEN = Promise("BESIDE-01", "B", 1, "confirmed", 0)
REJECTED = Promise("BESIDE-01", "C", 1, "lost", 1)
LEDGER = Ledger(
    promises=[TAKEN, ALSO_TAKEN, REJECTED],
    orders={"A": [2], "B": [1]},
    available={"BEHIND-01": 0, "BESIDE-01": -1},
    allocated={"BEHIND-01": 2, "BESIDE-01": 5},
    reported={"BEHIND-01": 0, "BESIDE-01": 0},
)
GOOD = Results(
    in_turn=Round("IN-TURN", stock=5, sold=5, refused=10, failed=0),
    control=[CONTROL],
    behind=[replace(BEHIND, stock=2)],
    beside=[BESIDE],
    ledger=LEDGER,
)


def test_a_run_in_which_every_promise_was_kept_passes():
    assert judge(GOOD) == []


def test_a_shop_that_holds_alone_need_not_oversell():
    alone = replace(GOOD, control=[replace(CONTROL, sold=5)])
    assert judge(replace(alone, shop_oversells=False)) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"in_turn": replace(GOOD.in_turn, sold=7)}, "does not count its stock"),
        ({"control": [replace(CONTROL, sold=5)]}, "oversold in no round"),
        ({"behind": [BEHIND]}, "Holdfast sold 2, not exactly 5"),
        ({"behind": [replace(BEHIND, stock=2, reported=1)]}, "sold 2 of 1 that the shop had reported"),
        ({"beside": [replace(BESIDE, failed=1)]}, "neither an order nor a refusal"),
        ({"beside": [replace(BESIDE, sold=3)]}, "3 sold, but promises for 2"),
    ],
)
def test_races_that_went_wrong_are_named(change, complaint):
    assert any(complaint in problem for problem in judge(replace(GOOD, **change)))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"orders": {"B": [1]}}, "BEHIND-01 A: accepted, but the shop's books show []"),
        ({"orders": {"A": [2, 2], "B": [1]}}, "BEHIND-01 A: accepted, but the shop's books show [2, 2]"),
        ({"orders": {"A": [2], "B": [1], "C": [1]}}, "BESIDE-01 C: lost, but the shop's books show [1]"),
        ({"allocated": {"BEHIND-01": 2, "BESIDE-01": 6}}, "the shop counts 6 sold, buyers 5"),
        ({"promises": [TAKEN, ALSO_TAKEN, replace(REJECTED, discrepancies=0)]}, "lost without a discrepancy"),
        ({"promises": [TAKEN, ALSO_TAKEN, replace(REJECTED, state="sending")]}, "the shop was not told"),
        ({"promises": [replace(TAKEN, state="lost"), ALSO_TAKEN, REJECTED]}, "refused 2 that nobody else had bought"),
        ({"reported": {"BEHIND-01": 0, "BESIDE-01": 1}}, "BESIDE-01: Holdfast never got the shop's last number"),
        ({"broken": 1}, "1 sales beyond what the shop had reported"),
        ({"audit": "level 7 differs"}, "level 7 differs"),
    ],
)
def test_ledgers_that_disagree_are_named(change, complaint):
    assert any(complaint in problem for problem in judge(replace(GOOD, ledger=replace(LEDGER, **change))))


def test_the_table_puts_the_three_kinds_of_race_side_by_side():
    table = as_table(GOOD).strip().splitlines()

    assert [cell.strip() for cell in table[2].strip("|").split("|")] == [
        "1", "11 of 5", "2 of 2", "2", "2 of 5", "4", "1", "1",
    ]  # fmt: skip


def test_the_figures_for_programs_carry_the_verdict():
    figures = as_json(GOOD, ["something"])

    assert (figures["as_promised"], figures["oversold_rounds_of_the_shop_alone"]) == (False, 1)
