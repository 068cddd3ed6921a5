"""Many requests for one SKU become few transactions, and nobody can tell but by the clock."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection

from inventory import locks
from inventory.models import Allocation
from orders import combiner, placement
from orders.combiner import Combiner, NotDrainedError, OutcomeUnknownError, QueueFullError
from orders.intents import Intent, Placed, Refused
from orders.models import Order
from orders.tests.buyers import intent_of
from orders.views import UNDECIDED
from storefronts.models import Storefront

pytestmark = pytest.mark.django_db(transaction=True)

BUYERS = 20
TEA = ("TEA",)


@pytest.fixture
def storefront(make_storefront: Callable[..., Storefront]) -> Storefront:
    return make_storefront("shop")


class Crowd:
    """Buyers of one SKU, each in a thread; the lock stays closed until all of them wait."""

    def __init__(self, shared: Combiner, storefront: Storefront) -> None:
        self.combiner = shared
        self.storefront = storefront
        self.batches: list[int] = []
        self.skus = TEA
        self.late: Callable[[], None] = lambda: None  # called under the lock, before the first batch

    def submit(self, number: int) -> str:
        return self.order(f"buyer-{number}", "TEA")

    def basket(self, number: int) -> str:
        return self.order(f"basket-{number}", "TEA", "CUP")

    def order(self, key: str, *codes: str) -> str:
        try:
            outcome = self.combiner.submit(intent_of(self.storefront.pk, key, [(code, 1) for code in codes]))
        except (DatabaseError, *UNDECIDED) as error:
            return type(error).__name__
        finally:
            connection.close()
        return type(outcome).__name__

    def buy(self, buyers: int = BUYERS) -> Counter[str]:
        with ThreadPoolExecutor(buyers) as pool:
            return Counter(pool.map(self.submit, range(buyers)))


@pytest.fixture
def crowd(storefront: Storefront, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    shared = Crowd(Combiner(), storefront)
    place_locked, under_lock = placement.place_locked, placement.under_lock

    def counted(intents: list[Intent]) -> list[object]:
        shared.batches.append(len(intents))
        return place_locked(intents)  # type: ignore[return-value]

    @contextmanager
    def when_all_wait(codes: list[str]) -> Iterator[None]:
        with under_lock(codes):
            if not shared.batches:
                wait_for(lambda: len(shared.combiner._queues[shared.skus]) == BUYERS)
                shared.late()
            yield

    monkeypatch.setattr(placement, "place_locked", counted)
    monkeypatch.setattr(placement, "under_lock", when_all_wait)
    return shared


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    pytest.fail("nobody came")


def test_all_who_wait_are_placed_in_one_transaction(make_level, crowd):
    level = make_level("TEA", BUYERS)
    assert crowd.buy() == {"Placed": BUYERS}
    assert crowd.batches == [BUYERS]
    level.refresh_from_db()
    assert (level.allocated, level.version, Order.objects.count()) == (BUYERS, 1 + BUYERS, BUYERS)


def test_the_queue_is_served_in_its_order_until_the_stock_is_gone(make_level, crowd):
    make_level("TEA", 7)
    assert crowd.buy() == {"Placed": 7, "Refused": BUYERS - 7}
    assert Allocation.objects.count() == 7


def test_once_sold_out_refusals_need_no_lock(make_level, crowd, settings):
    make_level("TEA", 0)
    assert crowd.buy() == {"Refused": BUYERS}
    settings.SKU_LOCK_ACQUIRE_SECONDS = 1
    with locks.sku_locks(["TEA"], deadline=time.monotonic() + 1):
        assert crowd.submit(99) == "Refused"


def test_a_long_queue_takes_several_batches_each_under_a_lock_of_its_own(make_level, crowd, settings, monkeypatch):
    settings.COMBINER_BATCH = 2
    make_level("TEA", BUYERS)
    grants = locks.sku_locks
    taken: list[object] = []

    def counted(codes: list[str], **named: float) -> object:
        taken.append(codes)
        return grants(codes, **named)

    monkeypatch.setattr(placement, "sku_locks", counted)
    assert crowd.buy() == {"Placed": BUYERS}
    assert crowd.batches == [2] * (BUYERS // 2)
    assert len(taken) == len(crowd.batches)
    assert crowd.combiner._queues == {}


def test_a_full_queue_is_told_at_once(make_level, crowd, settings):
    settings.COMBINER_QUEUE = BUYERS
    make_level("TEA", 2 * BUYERS)
    came: list[str] = []

    def late() -> None:
        wait_for(lambda: len(crowd.combiner._queues[TEA]) == BUYERS)
        came.append(crowd.submit(99))

    crowd.late = late
    assert crowd.buy() == {"Placed": BUYERS}
    assert came == [QueueFullError.__name__]
    assert Order.objects.count() == BUYERS


def test_who_is_not_drained_in_time_is_truly_taken_back(make_level, crowd, settings, monkeypatch):
    settings.COMBINER_PATIENCE_SECONDS = 0.1
    level = make_level("TEA", BUYERS)
    gave_up = threading.Event()

    @contextmanager
    def late(codes: list[str]) -> Iterator[None]:
        assert gave_up.wait(10)
        yield

    monkeypatch.setattr(placement, "under_lock", late)
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(crowd.submit, 1)
        wait_for(lambda: TEA in crowd.combiner._queues)
        follower = pool.submit(crowd.submit, 2)
        assert follower.result() == NotDrainedError.__name__
        gave_up.set()
        assert leader.result() == "Placed"
    level.refresh_from_db()
    assert level.allocated == 1


def test_who_gave_up_on_a_batch_is_passed_by_when_it_is_told(make_level, crowd, settings, monkeypatch):
    level = make_level("TEA", BUYERS)
    crowd.batches.append(0)  # nobody waits for a crowd here
    place_locked, all_wait, gave_up = placement.place_locked, threading.Event(), threading.Event()

    def slow(intents: list[Intent]) -> object:
        placed = place_locked(intents)
        assert gave_up.wait(10)
        return placed

    @contextmanager
    def closed(codes: list[str]) -> Iterator[None]:
        assert all_wait.wait(10)
        yield

    def wait_in_line(buyers: int) -> None:
        wait_for(lambda: len(crowd.combiner._queues.get(TEA, ())) == buyers)

    monkeypatch.setattr(placement, "place_locked", slow)
    monkeypatch.setattr(placement, "under_lock", closed)
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(crowd.submit, 1)]
        wait_in_line(1)
        settings.COMBINER_PATIENCE_SECONDS = 2
        hasty = pool.submit(crowd.submit, 2)
        wait_in_line(2)
        settings.COMBINER_PATIENCE_SECONDS = 30
        others += [pool.submit(crowd.submit, number) for number in (3, 4)]
        wait_in_line(4)
        settings.COMBINER_PATIENCE_SECONDS = 0.1
        all_wait.set()
        assert hasty.result() == OutcomeUnknownError.__name__
        gave_up.set()
        assert [each.result() for each in others] == ["Placed"] * 3
    level.refresh_from_db()
    assert (level.allocated, crowd.combiner._queues) == (4, {})


def test_a_leader_that_is_torn_away_leaves_nobody_waiting(make_level, crowd, monkeypatch):
    make_level("TEA", BUYERS)

    def torn(_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(placement, "place_locked", torn)

    def submit(number: int) -> str:
        try:
            told: str = crowd.submit(number)
        except SystemExit:
            return "torn"
        return told

    with ThreadPoolExecutor(BUYERS) as pool:
        assert Counter(pool.map(submit, range(BUYERS))) == {"torn": 1, OutcomeUnknownError.__name__: BUYERS - 1}
    assert crowd.combiner._queues == {}


def test_a_poisonous_order_does_not_take_the_others_with_it(make_level, crowd, monkeypatch):
    make_level("TEA", BUYERS)
    place_locked = placement.place_locked

    def choke(intents: list[Intent]) -> object:
        if any(intent.key == "buyer-3" for intent in intents):
            raise IntegrityError
        return place_locked(intents)

    monkeypatch.setattr(placement, "place_locked", choke)
    assert crowd.buy() == {"Placed": BUYERS - 1, "IntegrityError": 1}


def test_after_a_lost_commit_the_keys_tell(make_level, crowd, monkeypatch):
    make_level("TEA", BUYERS)
    place_locked = placement.place_locked

    def lose_the_answer(intents: list[Intent]) -> object:
        place_locked(intents)
        raise OperationalError

    monkeypatch.setattr(placement, "place_locked", lose_the_answer)
    assert crowd.buy() == {"Placed": BUYERS}
    assert Order.objects.count() == BUYERS


def test_what_the_database_never_committed_is_unknown_and_not_refused(make_level, crowd, monkeypatch):
    make_level("TEA", BUYERS)
    crowd.batches.append(0)  # nobody waits for a crowd here

    def fail(_: object) -> None:
        raise OperationalError

    with monkeypatch.context() as broken:
        broken.setattr(placement, "place_locked", fail)
        assert crowd.submit(1) == OutcomeUnknownError.__name__
    assert isinstance(crowd.combiner.submit(intent_of(crowd.storefront.pk, "buyer-1", [("TEA", 1)])), Placed)


def test_after_a_statement_timed_out_nobody_asks_what_became_of_it(make_level, crowd, monkeypatch):
    """The server refused it, so nothing was placed: to wait for a connection once more would only take time."""
    make_level("TEA", BUYERS)
    crowd.batches.append(0)  # nobody waits for a crowd here

    def time_out(_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 1; SELECT pg_sleep(5)")

    def recall(_: object) -> None:
        pytest.fail("asked")

    monkeypatch.setattr(placement, "place_locked", time_out)
    monkeypatch.setattr(placement, "recall", recall)
    assert crowd.submit(1) == OperationalError.__name__


def test_a_lock_that_is_not_granted_is_told_to_all_who_wait(make_level, crowd, monkeypatch):
    make_level("TEA", BUYERS)

    @contextmanager
    def busy(codes: list[str]) -> Iterator[None]:
        wait_for(lambda: len(crowd.combiner._queues[TEA]) == BUYERS)
        if codes:
            raise locks.LockBusyError
        yield

    monkeypatch.setattr(placement, "under_lock", busy)
    assert crowd.buy() == {"LockBusyError": BUYERS}
    assert crowd.combiner._queues == {}


def test_baskets_and_single_lines_share_the_stock(make_level, crowd):
    make_level("TEA", BUYERS)
    make_level("CUP", 5)

    crowd.batches.append(0)  # nobody waits for a crowd here
    with ThreadPoolExecutor(2 * BUYERS) as pool:
        singles = [pool.submit(crowd.submit, number) for number in range(BUYERS)]
        baskets = [pool.submit(crowd.basket, number) for number in range(5)]
        outcomes = Counter(each.result() for each in [*singles, *baskets])
    assert outcomes["Placed"] == BUYERS
    assert outcomes[Refused.__name__] == 5
    assert combiner.combiner._queues == {}


def test_baskets_of_the_same_skus_are_placed_in_one_transaction(make_level, crowd):
    levels = [make_level("TEA", BUYERS), make_level("CUP", 5)]
    crowd.skus = ("CUP", "TEA")

    with ThreadPoolExecutor(BUYERS) as pool:
        assert Counter(pool.map(crowd.basket, range(BUYERS))) == {"Placed": 5, "Refused": BUYERS - 5}
    assert crowd.batches == [BUYERS]
    for level in levels:
        level.refresh_from_db()
    assert [level.allocated for level in levels] == [5, 5]


def test_a_batch_of_baskets_is_as_large_as_one_of_single_lines(make_level, crowd, settings):
    settings.COMBINER_BATCH = 4
    make_level("TEA", BUYERS)
    make_level("CUP", BUYERS)
    shared = crowd.combiner
    waiting = [combiner._Ticket(intent_of(crowd.storefront.pk, f"b-{n}", [("CUP", 1), ("TEA", 1)])) for n in range(5)]
    for ticket in waiting:
        shared._join(("CUP", "TEA"), ticket)
    assert [len(shared._take(("CUP", "TEA"))) for _ in range(3)] == [2, 2, 1]


def test_who_comes_while_refusals_are_read_gets_a_read_of_his_own_and_no_lock(make_level, crowd, monkeypatch):
    make_level("TEA", 0)
    assert crowd.buy() == {"Refused": BUYERS}  # from now on the SKU is known to be short
    crowd.batches.clear()
    answer, reads = placement.answer_without_lock, []

    def answered(intents: list[Intent]) -> dict[int, object]:
        reads.append(len(intents))
        if len(reads) == 1:
            wait_for(lambda: len(crowd.combiner._queues[TEA]) == BUYERS)
        return answer(intents)  # type: ignore[return-value]

    monkeypatch.setattr(placement, "answer_without_lock", answered)
    assert crowd.buy() == {"Refused": BUYERS}
    assert (sum(reads), len(reads) > 1, crowd.batches) == (BUYERS, True, [])
