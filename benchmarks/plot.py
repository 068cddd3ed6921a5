"""Orders/s and waiting over the number of clients, as a picture for the documentation."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "hot-sku.svg"
TEN_YEARS = {"Date": None}  # a picture that did not change is not a change


def save(curves: Mapping[str, Mapping[int, Mapping[str, float]]]) -> None:
    """curves: side → clients → rate (orders/s), p50 and p99 (milliseconds)."""
    mpl.rcParams.update({"svg.hashsalt": "holdfast", "font.size": 9})
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 6), sharex=True)
    for name, curve in curves.items():
        numbers = list(curve)
        (line,) = above.plot(numbers, [one["rate"] for one in curve.values()], marker="o", label=name)
        below.plot(
            numbers, [one["p99"] for one in curve.values()], marker="o", color=line.get_color(), label=f"{name}, p99"
        )
        below.plot(numbers, [one["p50"] for one in curve.values()], linestyle=":", color=line.get_color())
    above.set(ylabel="orders/s on one SKU", ylim=(0, None))
    below.set(ylabel="milliseconds (dotted: median)", xlabel="clients", xscale="log", yscale="log")
    below.set_xticks(numbers, [str(number) for number in numbers])
    below.minorticks_off()
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(PICTURE, metadata=TEN_YEARS)
    plt.close(figure)
