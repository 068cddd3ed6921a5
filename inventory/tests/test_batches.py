from collections.abc import Sequence

from inventory import batches
from inventory.batches import Pace, work_off


def test_every_item_is_worked_on_once():
    done: list[int] = []

    def work(batch: Sequence[int], may_skip: bool) -> list[int]:
        done.extend(batch)
        return []

    work_off(range(1_234), work, Pace())
    assert done == list(range(1_234))


def test_what_is_skipped_comes_again_and_is_waited_for_at_last():
    calls: list[tuple[tuple[int, ...], bool]] = []

    def work(batch: Sequence[int], may_skip: bool) -> list[int]:
        calls.append((tuple(batch), may_skip))
        return [item for item in batch if item == 7 and may_skip]

    work_off(range(10), work, Pace())
    assert [call for call in calls if 7 in call[0]] == [
        (tuple(range(10)), True),
        ((7,), True),
        ((7,), True),
        ((7,), False),
    ]


def test_batches_grow_while_they_are_quick_and_shrink_when_they_are_slow():
    pace = Pace()
    pace.learn(pace.size, seconds=0.001)
    assert pace.size == 500, "at most twice as many"
    pace.learn(500, seconds=10 * batches.LOCKED_SECONDS)
    assert pace.size == 50
    pace.learn(50, seconds=10)
    assert pace.size == 20, "never less"
