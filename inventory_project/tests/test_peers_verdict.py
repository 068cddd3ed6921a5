"""The verdict of `make bench-peers` can fail: every fault of a shop is seen, and only Holdfast's decide the run."""

from dataclasses import replace

import pytest

from benchmarks.peers.report import as_document, as_json, row, tables, verdict
from benchmarks.peers.scenarios import scenarios
from benchmarks.peers.verdict import Book, Race, judge, summarise

GOOD = Race(
    seller="holdfast",
    scenario="few",
    number=1,
    stock=10,
    wanted=10,
    orders=10,
    told=10,
    refused=40,
    failed=0,
    seconds=0.5,
    latencies=[0.1] * 49 + [0.4],
    books={"A": Book(counted=10, ordered=10)},
)
REPLAYED = replace(GOOD, scenario="again", stock=20, wanted=1, orders=1, told=20, refused=0, books={"A": Book(1, 1)})


def test_races_without_fault_pass():
    assert judge([GOOD, REPLAYED]) == []
    assert [line.right for line in summarise([GOOD, REPLAYED])] == [True, True]


@pytest.mark.parametrize(
    ("race", "complaint"),
    [
        (replace(GOOD, orders=11, told=11, books={"A": Book(11, 11)}), "oversold by 1"),
        (replace(GOOD, books={"A": Book(12, 12)}), "oversold by 2"),  # nobody was told, but the order book has them
        (
            replace(GOOD, orders=9, told=9, refused=41, books={"A": Book(9, 9)}),
            "1 buyers refused while there was stock",
        ),
        (replace(GOOD, orders=9, told=9, failed=1, books={"A": Book(9, 9)}), "1 buyers got neither"),
        (replace(GOOD, orders=9, told=9, books={"A": Book(9, 9)}), "9 orders instead of 10"),
        (replace(GOOD, books={"A": Book(counted=9, ordered=10)}), "counters and orders disagree"),
        (replace(GOOD, books={"A": Book(10, 10), "B": Book(9, 9)}), "counters and orders disagree"),
        (replace(REPLAYED, orders=20, books={"A": Book(20, 20)}), "19 orders more than were wanted"),
        (replace(REPLAYED, failed=19, told=1), "19 buyers got neither"),
    ],
)
def test_each_fault_of_holdfast_is_named(race, complaint):
    assert any(complaint in problem for problem in judge([GOOD, race]))
    assert not summarise([race])[0].right


def test_faults_of_others_are_reported_and_not_judged():
    oversold = replace(GOOD, seller="oscar", orders=50, told=50, refused=0, books={"A": Book(50, 50)})
    assert judge([oversold]) == []
    assert verdict(summarise([oversold])[0]) == "**oversold by 40**"


def test_what_the_audit_and_the_supplier_object_to_fails_the_run():
    assert judge([GOOD], audit="A: off by 1\n") == ["the audit of Holdfast's ledger: A: off by 1"]
    assert judge([GOOD], supplier=["A: sold 10, delivered 9"]) == ["A: sold 10, delivered 9"]


def test_refusals_are_false_only_as_far_as_units_were_left():
    assert GOOD.false_refusals == 0
    assert replace(GOOD, orders=7, books={"A": Book(7, 7)}).false_refusals == 3
    assert replace(GOOD, orders=7, refused=2, books={"A": Book(7, 7)}).false_refusals == 2


def test_speeds_are_medians_and_faults_are_sums():
    rounds = [replace(GOOD, number=number, seconds=seconds) for number, seconds in enumerate([1, 5, 2], start=1)]
    rounds[1] = replace(rounds[1], orders=12, books={"A": Book(11, 12)})
    (line,) = summarise(rounds)
    assert (line.rate, line.answers) == (5, 25)
    assert line.p99 == 0.4
    assert (line.sold, line.oversold, line.wrong_books) == ((10, 12, 10), 2, 1)
    assert row(line, "Shop")[:2] == ["Shop", "10–12 of 10"]
    assert row(line, "Shop")[-2:] == ["wrong in 1 of 3", "**oversold by 2**, counters wrong"]


@pytest.mark.parametrize("small", [True, False])
def test_no_two_races_share_a_sku(small):
    used = [
        code
        for scenario in scenarios(small=small)
        for seller in ("holdfast", "oscar")
        for number in (1, 2)
        for code in scenario.codes(seller, number)
    ]
    assert len(used) == len(set(used))


def test_baskets_of_two_skus_are_bought_in_opposite_order():
    mixed = next(scenario for scenario in scenarios(small=True) if scenario.skus == 2)
    baskets = mixed.baskets(["A", "B"])
    assert baskets[:2] == [["B", "A"], ["A", "B"]]
    assert len(baskets) == mixed.buyers


def test_the_figures_can_be_read_by_people_and_programs():
    few = next(scenario for scenario in scenarios(small=False) if scenario.name == "few")
    lines = summarise([GOOD])
    assert "50 buyers, 10 units" in (text := tables([few], lines, {"holdfast": "Holdfast"}))
    assert "| Holdfast | " in text
    figures = as_json([GOOD], lines, [])
    assert figures["as_promised"]
    assert figures["summary"][0]["right"]
    assert figures["rounds"][0]["books"] == {"A": {"counted": 10, "ordered": 10}}


def test_a_run_that_failed_says_so_in_what_is_published():
    def published(problems):
        box = dict.fromkeys(["processor", "system", "python", "postgresql", "used_by_others"], "?")
        return as_document("", [], box, day="today", rounds=3, presses=3, shops={}, problems=problems)

    assert "This run failed" in (failed := published(["A: oversold by 1"]))
    assert "- A: oversold by 1" in failed
    assert "This run failed" not in published([])
