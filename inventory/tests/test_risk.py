"""What is read first, by numbers alone."""

from inventory.risk import Candidate, riskiest


def level(pk: int, *, sold: int = 0, refused: int = 0, left: int = 10, age: float | None = 100, event: bool = False):
    return Candidate(pk, 1, sold, refused, left, age, event)


def order(*candidates: Candidate, most: int = 10) -> list[int]:
    return [one.level_id for one in riskiest(candidates, most)]


def test_hotter_older_and_lower_come_first():
    assert order(level(1, sold=5), level(2, sold=50)) == [2, 1]
    assert order(level(1, sold=5), level(2, sold=5, age=900)) == [2, 1]
    assert order(level(1, sold=5), level(2, sold=5, left=1)) == [2, 1]


def test_sold_out_and_wanted_is_worth_a_read_sold_out_and_forgotten_is_not():
    assert order(level(1, left=0), level(2, left=0, refused=4)) == [2]


def test_events_come_first_also_what_nobody_asked_for_yet():
    assert order(level(1, sold=500, left=0), level(2, event=True), level(3, event=True, left=0)) == [3, 2, 1]


def test_what_was_just_read_waits():
    assert order(level(1, sold=500, age=3), level(2, sold=1, age=None)) == [2]


def test_no_more_than_the_budget():
    assert order(level(1, sold=1), level(2, sold=2), level(3, sold=3), most=2) == [3, 2]
    assert order(level(1, sold=1), most=-4) == []


def test_the_reason_is_for_a_person():
    reason = level(1, sold=12, refused=3, left=2, age=240, event=True).reason
    assert reason == "sales event; 12 sold, 3 refused in an hour, 2 left, 240 s old"
