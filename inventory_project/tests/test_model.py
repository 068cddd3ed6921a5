"""The state machine over the stock of a small merchant; and that each guard that it watches would be missed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.model import run
from benchmarks.model.books import Broken
from benchmarks.model.machine import Stage
from inventory import cache, claims, transitions

# A failure is shrunk before it is told, which takes longer than the suite gives a test.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
STEPS = 5_000  # of each of the five parts


@pytest.fixture
def stage() -> Iterator[Stage]:
    with run.stage() as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1_000, 2_000, 3_000, 4_000, 5_000])
def test_stock_stays_true_when_suppliers_lie(stage, seed, capsys):
    tally = run.run(stage, seed, steps=STEPS)
    with capsys.disabled():
        print(f"\nmodel, from seed {seed}: {tally}")  # noqa: T201 - how much was tried is what a run is worth
    assert tally.steps >= STEPS


def without_settlement(patch: pytest.MonkeyPatch) -> None:
    """A reading is taken to include every order that upstream has confirmed."""
    rule = transitions.by_reading

    def overwrite(level, reported, read_at, confirmed=()):
        taken = [one for one in confirmed if one.confirmed_at]
        long_ago = [replace(one, confirmed_at=one.confirmed_at - timedelta(days=1)) for one in taken]
        return rule(level, reported, read_at, long_ago)

    patch.setattr(transitions, "by_reading", overwrite)


def without_the_claim(patch: pytest.MonkeyPatch) -> None:
    """Whoever is told of an order sends it."""
    anybody = claims._CLAIM.replace("allocation.state = 'committed'", "allocation.state IN ('committed', 'sending')")
    patch.setattr(claims, "_CLAIM", anybody)
    patch.setattr(claims, "_LEVELS", claims._LEVELS.replace("allocation.state = 'committed'", "true"))


def without_the_time(patch: pytest.MonkeyPatch) -> None:
    """What comes last counts, however old."""
    patch.setattr(transitions, "_is_outdated", lambda level, reported, read_at: False)


def without_the_cap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(transitions, "by_refusal", lambda level, units, now: transitions.by_loss(level, units))


def without_quarantine(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(transitions, "_doubted", lambda *_: None)


def without_the_lease(patch: pytest.MonkeyPatch) -> None:
    guards = "redis.call('GET', KEYS[2]) ~= ARGV[1]", "tonumber(string.match(entry, '^(%d+):')) > tonumber(ARGV[2])"
    script = cache._FILL
    for guard in (*guards, "string.sub(entry, 1, 2) == 'T:'"):
        assert guard in script
        script = script.replace(guard, "false")
    patch.setattr(cache, "_FILL", script)
    patch.setattr(cache, "_scripts", cache._scripts.__wrapped__)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "missed"),
    [
        (without_settlement, "G11|G1"),
        (without_the_claim, "one effect"),
        (without_the_time, "G11"),
        (without_the_cap, "rejection cap"),
        (without_quarantine, "quarantine"),
        (without_the_lease, "G12"),
    ],
)
def test_a_guard_that_is_taken_away_is_missed(
    stage, change: Callable[[pytest.MonkeyPatch], None], missed: str, monkeypatch
):
    change(monkeypatch)
    with pytest.raises(Broken, match=missed):
        run.run(stage, 1, steps=STEPS, phases=run.FOUND)
