"""Writes the last run into docs/reliability.md: `python -m benchmarks.faults.report`."""

import json
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENT = PROJECT / "docs" / "reliability.md"
OPEN, CLOSE = "<!-- run -->", "<!-- /run -->"


def section(record: dict[str, Any]) -> str:
    """What one run found, for a reader."""
    answers = sorted(record["requests"].items(), key=lambda pair: -pair[1])
    requests = ", ".join(f"{count:,} × {status if status != '0' else 'no answer'}" for status, count in answers)
    run = (
        f"{record['at']}: seed {record['seed']}, {len(record['faults'])} faults, {record['web_processes']} web"
        f" processes, {record['buyers']} buyers, {sum(record['requests'].values()):,} requests in {record['seconds']} s"
        f" ({requests}); the slowest took {record['slowest_seconds']} s, those to frozen processes included."
    )
    lines = [
        "## The last recorded run",
        "",
        run,
        "",
        "| claim | exceptions |",
        "|---|---|",
        *(
            f"| {' '.join((line['promise'], line['claim'])).strip()} | {len(line['wrong'])} |"
            for line in record["claims"]
        ),
        "",
        "| fault | times | longest until every web process sold again |",
        "|---|---|---|",
    ]
    for number, name in sorted({(fault["number"], fault["name"]) for fault in record["faults"]}):
        times = [fault["progress"] for fault in record["faults"] if (fault["number"], fault["name"]) == (number, name)]
        lines.append(f"| {number} {name} | {len(times)} | {max(times):.1f} s |")
    return "\n".join(lines)


def main() -> None:
    """Replace what stands between the two marks."""
    record = json.loads((PROJECT / "var" / "faults.json").read_text())
    head, _, rest = DOCUMENT.read_text().partition(OPEN)
    _, _, tail = rest.partition(CLOSE)
    DOCUMENT.write_text(f"{head}{OPEN}\n{section(record)}\n{CLOSE}{tail}")


if __name__ == "__main__":
    main()
