"""Tables, plots and data of the study."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.oversell.results import Cell, Verdict
from benchmarks.oversell.scenarios import SCENARIOS
from benchmarks.oversell.shops import STRATEGIES

BEGIN, END = "<!-- figures: written by `make study` -->\n", "<!-- end of figures -->\n"
COLOURS = ("#9aa0a6", "#c9a227", "#c0392b", "#5dade2", "#1e8449")
plt.rcParams.update({"svg.hashsalt": "oversell", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def write_json(path: Path, cells: Sequence[Cell]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([one.as_json() for one in cells], indent=1) + "\n")


def write_document(path: Path, cells: Sequence[Cell], verdicts: Sequence[Verdict]) -> None:
    """Put the figures between their marks; the words around them stay."""
    before, rest = path.read_text().split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(before + BEGIN + "\n" + markdown(cells, verdicts) + "\n" + END + after)


def markdown(cells: Sequence[Cell], verdicts: Sequence[Verdict]) -> str:
    days = cells[0].days
    lines = [
        f"Units of {days} simulated days each; in brackets the 95 % interval over the days.",
        "",
        "| scenario | strategy | demanded | sold | oversold | knowable | wrongly refused | orders lost | stale reads |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    titles = {strategy.name: strategy.title for strategy in STRATEGIES}
    lines += [_row(one, titles[one.strategy]) for one in cells]
    lines += ["", "| goal | met | figures |", "|---|---|---|"]
    lines += [f"| {one.goal} | {'yes' if one.met else '**no**'} | {one.figures} |" for one in verdicts]
    return "\n".join(lines) + "\n"


def _row(one: Cell, title: str) -> str:
    def shown(measure: str) -> str:
        low, high = one.interval[measure]
        return f"{getattr(one.total, measure):,} ({low:,.0f}–{high:,.0f})"

    knowable = f"{one.total.oversold_knowable:,}"
    stale = f"{one.total.stale_reads / max(1, one.total.reads):.1%}"
    values = [one.scenario, title, f"{one.total.demanded:,}", f"{one.total.sold:,}", shown("oversold"), knowable]
    return "| " + " | ".join([*values, shown("wrongly_refused"), shown("orders_lost"), stale]) + " |"


def draw(folder: Path, cells: Sequence[Cell]) -> None:
    """oversell-study.png and .svg: what each strategy oversells, and below it what it wrongly refuses."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, (above, below) = plt.subplots(2, 1, figsize=(10, 6.4), sharex=True, layout="constrained")
    _bars(above, cells, "oversold", lambda one: one.total.sold)
    _bars(below, cells, "wrongly_refused", lambda one: one.total.demanded)
    above.set_ylabel("units oversold\nper 1,000 sold")
    below.set_ylabel("units wrongly refused\nper 1,000 demanded")
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False, fontsize=8)
    # Most are near nothing and some are hundreds: linear up to 1, logarithmic above.
    above.set_yscale("symlog", linthresh=1)
    above.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    # No date in the picture: the same figures give the same bytes.
    figure.savefig(folder / "oversell-study.png", dpi=130, metadata={"Software": None})
    figure.savefig(folder / "oversell-study.svg", metadata={"Date": None})
    plt.close(figure)


def _bars(axes: Axes, cells: Sequence[Cell], measure: str, of: Callable[[Cell], int]) -> None:
    names = [scenario.name for scenario in SCENARIOS]
    width = 0.8 / len(STRATEGIES)
    for place, (strategy, colour) in enumerate(zip(STRATEGIES, COLOURS, strict=True)):
        own = [one for one in cells if one.strategy == strategy.name]
        scale = [1_000 / max(1, of(one)) for one in own]
        heights = [getattr(one.total, measure) * factor for one, factor in zip(own, scale, strict=True)]
        low = [height - one.interval[measure][0] * f for height, one, f in zip(heights, own, scale, strict=True)]
        high = [one.interval[measure][1] * f - height for height, one, f in zip(heights, own, scale, strict=True)]
        at = [names.index(one.scenario) + (place - 2) * width for one in own]
        errors = {"elinewidth": 0.8, "capsize": 1.5}
        axes.bar(at, heights, width, yerr=[low, high], color=colour, label=strategy.title, error_kw=errors)
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
