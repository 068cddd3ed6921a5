"""A million rows in one file, by each format: what the worker that reads them needs of memory."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import catalogue
from benchmarks.registry import Figure, at_most, step
from benchmarks.run import Run
from benchmarks.upstream import quantity
from suppliers.tests.workbooks import workbook

MOST_MEGABYTES = 300
SLUG = "bench-file"
HEADER = ("id", "available")
Row = tuple[str, int]


def rows_of(count: int) -> Iterator[Row]:
    return ((f"ROW-{row:08d}", quantity(row, 0)) for row in range(count))


def write_csv(path: Path, rows: Iterator[Row]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


def write_xlsx(path: Path, rows: Iterator[Row]) -> None:
    path.write_bytes(workbook([HEADER, *rows]))


def write_lines(path: Path, rows: Iterator[Row]) -> None:
    with path.open("w") as file:
        file.writelines(f"{json.dumps(dict(zip(HEADER, row, strict=True)))}\n" for row in rows)


def write_json(path: Path, rows: Iterator[Row]) -> None:
    path.write_text(json.dumps({"items": [dict(zip(HEADER, row, strict=True)) for row in rows]}))


FORMATS: dict[str, Callable[[Path, Iterator[Row]], None]] = {
    "csv": write_csv,
    "xlsx": write_xlsx,
    "jsonl": write_lines,
    "json": write_json,
}


def connect(file: Path, format_: str) -> int:
    """A supplier that lays this file out; its id."""
    from suppliers.models import Supplier  # noqa: PLC0415

    config = {
        "base_url": "folder:",
        "path": file.name,
        "format": format_,
        "map": {"uid": "id", "sku": "id", "available": "available"},
        "still_seconds": 0,
        **({"items": "items"} if format_ == "json" else {}),
    }
    fields = {"name": "Files", "adapter": "file", "config": config}
    supplier, _ = Supplier.objects.update_or_create(slug=SLUG, defaults=fields)
    return int(supplier.pk)


@step("files")
def whole_files(run: Run) -> Iterator[Figure]:
    """The first format brings all rows, the others find them unchanged."""
    count = 20_000 if run.small else 1_000_000
    for format_, write in FORMATS.items():
        file = run.folder / f"stock.{format_}"
        write(file, rows_of(count))
        catalogue.settle()
        result = catalogue.finish(catalogue.start(connect(file, format_), SUPPLIER_FILES_ROOT=str(run.folder)))
        size = file.stat().st_size / 1e6
        file.unlink()
        if (result["status"], result["seen"]) != ("applied", count):
            run.wrong(f"{format_}: {result}")
        rate = f"{count / result['seconds']:,.0f} rows/s, {result['changed']:,} of them new"
        run.say(f"{format_}: {rate}")
        yield Figure(
            f"files {format_}",
            f"peak memory of the process that reads {count:,} rows of a {format_} file and brings them in",
            at_most(MOST_MEGABYTES, " MB"),
            result["peak_mb"],
            unit=" MB",
            notes=[
                f"{format_} of {size:.0f} MB: {rate}; its peak and that of its reader: {result['family_mb']:.0f} MB"
            ],
        )
