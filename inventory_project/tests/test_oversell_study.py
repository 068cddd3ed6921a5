"""The study runs the rules of production: with one of them taken out, its figures turn red."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.oversell import report, results, shops
from benchmarks.oversell.results import Cell
from benchmarks.oversell.scenarios import DAY, SCENARIOS, Window, script
from benchmarks.oversell.shops import STRATEGIES, Holdfast, Learning, Shop, TwoLayers
from benchmarks.oversell.simulation import Tally, simulate
from inventory import sourcing, transitions, trust
from inventory.caution import Caution

SCENARIO = {scenario.name: scenario for scenario in SCENARIOS}
HOURS = 8.0  # a delivery and a sell-out of each good
AFTER_EVENTS = 13.0
AFTER_THE_SALE = 16.0


def short(name: str, strategy: type[Shop], seed: int = 1, hours: float = HOURS) -> Tally:
    return simulate(SCENARIO[name], strategy, seed, hours=hours, history_days=1)


def test_it_needs_no_servers_and_no_settings():
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-m", "benchmarks.oversell", "--help"]
    ran = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert "simulated days" in ran.stdout


def test_a_seed_gives_the_same_day_again():
    assert short("slow", TwoLayers) == short("slow", TwoLayers)
    assert short("slow", TwoLayers) != short("slow", TwoLayers, seed=2)


def test_every_strategy_meets_the_same_buyers():
    assert len({short("calm", strategy, hours=3).demanded for strategy in STRATEGIES}) == 1


@pytest.mark.parametrize("name", SCENARIO)
def test_nothing_knowable_is_oversold(name: str):
    day = short(name, Holdfast, hours=AFTER_EVENTS)
    assert day.oversold_knowable == 0
    assert day.sold > 0.5 * day.demanded


def test_the_learned_buffer_costs_no_knowable_unit_either_and_refuses_less():
    learned, fixed = short("calm", Learning), short("calm", Holdfast)
    assert (learned.oversold, fixed.oversold) == (0, 0)
    assert learned.wrongly_refused < fixed.wrongly_refused <= 0.01 * fixed.demanded


@pytest.mark.parametrize("name", ["calm", "slow", "flash"])
def test_overwriting_oversells_what_could_be_known(name: str):
    assert sum(short(name, TwoLayers, seed).oversold_knowable for seed in range(3)) > 0


def patched(change: Callable[[pytest.MonkeyPatch], None], name: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        change(patch)
        return short(name, Holdfast, hours=AFTER_EVENTS).oversold_knowable


def without_settlement(patch: pytest.MonkeyPatch) -> None:
    """A reading overwrites: it is taken to include every order."""
    rule = transitions.by_reading

    def overwrite(level, reported, read_at, confirmed=()):
        read = rule(level, reported, read_at, confirmed)
        return read and replace(read, numbers=replace(read.numbers, allocated=0), settled=[one.id for one in confirmed])

    patch.setattr(transitions, "by_reading", overwrite)


def without_lag(patch: pytest.MonkeyPatch) -> None:
    """An order is taken to be in every reading since its confirmation."""
    rule = transitions.by_reading
    patch.setattr(
        transitions,
        "by_reading",
        lambda level, reported, read_at, confirmed=(): rule(
            replace(level, lag=level.lag * 0), reported, read_at, confirmed
        ),
    )


def without_the_decision(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sourcing, "_serve", lambda position, code, quantity, destination: [(position.levels[0], quantity)])
    patch.setattr("inventory.positions.Level.free", lambda level, now: 99)


@pytest.mark.parametrize("change", [without_settlement, without_lag, without_the_decision])
def test_with_a_rule_taken_out_the_study_turns_red(change: Callable[[pytest.MonkeyPatch], None]):
    assert patched(change, "flash") > 0


def test_without_the_cap_a_good_that_does_not_exist_is_sold_on(monkeypatch: pytest.MonkeyPatch):
    capped = short("phantom", Holdfast).orders_lost
    monkeypatch.setattr(transitions, "by_refusal", lambda level, units, now: transitions.by_loss(level, units))
    assert short("phantom", Holdfast).orders_lost > 3 * capped > 0


def test_without_the_buffer_more_is_oversold(monkeypatch: pytest.MonkeyPatch):
    buffered = sum(short("channels", Holdfast, seed).oversold for seed in range(2))
    sellable = trust.sellable
    monkeypatch.setattr(
        trust, "sellable", lambda reported, policy, **cap: sellable(reported, replace(policy, buffer=0), **cap)
    )
    assert sum(short("channels", Holdfast, seed).oversold for seed in range(2)) > buffered


def sale_day(event: Window | None, seed: int) -> Tally:
    return simulate(replace(SCENARIO["sale_day"], event=event), Holdfast, seed, hours=AFTER_THE_SALE)


def test_a_planned_event_saves_orders_on_a_sale_day():
    planned = SCENARIO["sale_day"].event
    without, with_it = ([sale_day(event, seed) for seed in range(3)] for event in (None, planned))
    assert sum(day.orders_lost for day in without) > 2 * sum(day.orders_lost for day in with_it)


def test_a_share_held_back_saves_none(monkeypatch: pytest.MonkeyPatch):
    """It shrinks with the number: where nothing is left in truth, four fifths of what never was are still on sale."""
    none = sale_day(None, 1)
    monkeypatch.setattr(shops, "Caution", lambda units: Caution(share=Decimal("0.2")))
    held_back = sale_day(SCENARIO["sale_day"].event, 1)
    assert none.orders_lost > 0
    assert (held_back.sold, held_back.oversold) == (none.sold, none.oversold)
    assert held_back.stale_reads < none.stale_reads, "it was in force"


def test_a_flash_sale_is_a_flash():
    plan = script(SCENARIO["flash"], "1", DAY)
    wanted = [event.at for event in plan.demand if event.sku == 0]
    inside = sum(12 * 3_600 <= at < 12.5 * 3_600 for at in wanted)
    assert inside / 0.5 > 20 * (len(wanted) - inside) / 23.5


def cells(*tallies: Tally, scenario: str = "calm", strategy: str = "e_learned") -> list[Cell]:
    return [results.cell(scenario, strategy, tallies)]


def test_an_interval_covers_the_days():
    low, high = cells(*[Tally(oversold=8), Tally(oversold=12)] * 5)[0].interval["oversold"]
    # 100 ± 2.262 (Student, nine degrees of freedom) × 2.108 × √10
    assert (low, high) == pytest.approx((100 - 15.08, 100 + 15.08), abs=0.02)


def test_what_never_happened_may_still_happen():
    _, high = cells(Tally(demanded=1_000), Tally(demanded=1_000))[0].interval["oversold"]
    assert high == pytest.approx(3.69, abs=0.01)


def full(**changes: Tally) -> list[Cell]:
    good, bad = Tally(1_000, 900, 0, 0, 2, 900), Tally(1_000, 950, 50, 50, 0, 900, 30)
    usual = {"a_scheduled": bad, "b_cache": bad, "c_overwrite": bad, "d_fixed": replace(good, wrongly_refused=9)}
    usual = {**usual, "e_learned": good, **changes}
    return [
        cell
        for scenario in SCENARIO
        for strategy, tally in usual.items()
        for cell in cells(*[tally] * 10, scenario=scenario, strategy=strategy)
    ]


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, []),
        ({"d_fixed": Tally(1_000, 900, 1, 1, 9, 900)}, [0]),
        ({"e_learned": Tally(1_000, 0, 0, 0, 900, 0)}, [1, 3, 4]),
        ({"c_overwrite": Tally(1_000, 900, 0, 0, 5, 900, 30)}, [2]),
        ({"b_cache": Tally(1_000, 900, 0, 0, 1, 900)}, [3, 4]),
    ],
    ids=["all met", "knowable", "sells nothing", "toys", "refuses more"],
)
def test_every_goal_can_be_missed(changes: dict[str, Tally], missed: list[int]):
    verdicts = results.verdicts(full(**changes))
    assert [place for place, verdict in enumerate(verdicts) if not verdict.met] == missed


def test_the_figures_go_into_document_data_and_picture(tmp_path: Path):
    document = tmp_path / "study.md"
    document.write_text(f"before\n{report.BEGIN}OUTDATED\n{report.END}after\n")
    found = full()
    for _ in range(2):
        report.write_document(document, found, results.verdicts(found))
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "OUTDATED" not in text
    assert text.count("| calm | (e)") == 1
    report.write_json(tmp_path / "study.json", found)
    first = json.loads((tmp_path / "study.json").read_text())[0]
    assert {"scenario", "strategy", "demanded", "sold", "oversold", "wrongly_refused", "ci95"} <= set(first)
    report.draw(tmp_path, found)
    assert (tmp_path / "oversell-study.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "oversell-study.svg").read_text()
