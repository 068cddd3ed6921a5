"""The figures of a run: a table for people, `var/bench.json` for programs, a section of docs/performance.md."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.registry import Figure

PROJECT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- figures: begin, written by make bench -->", "<!-- figures: end -->"
HEAD = ("id", "what", "target", "measured", "baseline", "ratio", "")


def table(figures: Sequence[Figure], *, judged: bool = True) -> str:
    """A Markdown table.  judged: against the targets; a small run is too short for that."""
    body = [
        (
            figure.id,
            figure.what,
            figure.target.text,
            _number(figure.measured, figure.unit),
            "" if figure.baseline is None else _number(figure.baseline, figure.unit),
            "" if figure.baseline is None else f"{figure.ratio:.2f}×",
            ("ok" if figure.ok else "**missed**") if judged else "",
        )
        for figure in figures
    ]
    rows = [HEAD, *body]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(HEAD), rule, *map(line, body)])


def _number(value: float, unit: str) -> str:
    whole = 100  # from here on a fraction tells nothing
    return f"{value:,.0f}{unit}" if abs(value) >= whole else f"{value:,.2f}{unit}"


def usage_table(usage: Mapping[str, Mapping[str, float]]) -> str:
    """Who used the processors in each step."""
    parts = sorted({part for shares in usage.values() for part in shares})
    lines = ["| step | " + " | ".join(parts) + " |", "|---" * (len(parts) + 1) + "|"]
    for step, shares in usage.items():
        cells = [_share(part, shares.get(part, 0)) for part in parts]
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _share(part: str, value: float) -> str:
    """Milliseconds of the disk, or a share of all processors."""
    return f"{value:.2f} ms" if part.startswith("fdatasync") else f"{100 * value:.0f} %"


def notes(figures: Sequence[Figure]) -> str:
    """What was noted with the figures."""
    return "\n".join(f"- **{figure.id}** {note}" for figure in figures for note in figure.notes)


def save_json(figures: Sequence[Figure], box: Mapping[str, str], usage: Mapping[str, Mapping[str, float]]) -> Path:
    """For tools: id → what, target, measured, baseline, ratio, ok; beside them the box and who used it."""
    path = PROJECT / "var" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    content = {figure.id: figure.as_json() for figure in figures}
    path.write_text(json.dumps({**content, "box": dict(box), "processors": dict(usage)}, indent=2) + "\n")
    return path


def save_page(figures: Sequence[Figure], box: Mapping[str, str], usage: Mapping[str, Mapping[str, float]]) -> None:
    """Put the figures of a whole run between the marks of docs/performance.md; the rest of it is written by hand."""
    path = PROJECT / "docs" / "performance.md"
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    facts = "\n".join(f"- {name}: {value}" for name, value in box.items())
    parts = [facts, table(figures), notes(figures), "Share of all processors, by step:", usage_table(usage)]
    path.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(part for part in parts if part) + f"\n\n{END}{after}")
