"""Of each wake-up one message waits in the broker, however many processes ring while no worker is there.

Note [One message waits]
A mark in the broker's Redis says that a message of this task with these arguments waits.  Whoever rings sets it, then
publishes; who finds it set does neither.  A worker deletes it before it looks for work.  Rows are committed before
anybody rings, so who found the mark was in time for the look that follows, and who came after the deletion publishes.
Set and deleted at the wrong moment:
- The work begins while the message of another waits (its mark had ended, or the sweep published without one): the
  deletion takes the other's mark along.  A second message.
- Publishing fails after the mark was set: the mark goes, so that the next ring tries again.  Those who found it
  meanwhile have no message: the beat's sweep makes good, as for who set it.
- A mark without a message (killed between the two; Redis froze and took them in the other order; Redis went away before
  the deletion): nobody rings until it ends, and the sweep, which asks no marks, wakes a worker that deletes it.
- The worker is killed after the deletion: the sweep, and whoever rings next.
- No worker: mark and message live equally long, the mark from a moment earlier.  So one message waits that is not
  expired, and one more for each MESSAGE_SECONDS is left of the others.
- Redis away or wiped: published without a mark.  A second message.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

import redis
from celery import Task

from suppliers.shared_state import shared_state

# A message that nobody took up in this time is superfluous: the next slot of the beat sends another.
MESSAGE_SECONDS = 30


class Publishable(Protocol):
    """What is asked of a task."""

    name: str

    def apply_async(self, args: tuple[Any, ...], /) -> object: ...


class WakeUp(Task):  # type: ignore[type-arg]  # no alias at run time
    """A task whose message only says that rows are due: one stands for all of them.

    Not for a message that says what no row does, such as a person's wish or a count: each of those is wanted.
    Requires: a slot of the beat that looks for the same rows.
    """

    expires: float = MESSAGE_SECONDS

    def before_start(self, task_id: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:  # noqa: ARG002 - Celery's
        """Whoever rings from now on publishes again."""
        _unmark(self.name, args)


def publish(task: Publishable, arguments: tuple[Any, ...]) -> None:
    """Publish a task; nothing if it is a wake-up that waits in the broker.  See Note [One message waits].

    Raises: what the broker's client raises.
    """
    if not isinstance(task, WakeUp):
        task.apply_async(arguments)
    elif _mark(task, arguments):
        try:
            task.apply_async(arguments)
        except Exception:
            _unmark(task.name, arguments)
            raise


def _mark(task: WakeUp, arguments: tuple[Any, ...]) -> bool:
    """Whether the message is to be published."""
    client = shared_state().client()
    if client is None:
        return True
    try:
        return bool(client.set(_key(task.name, arguments), 1, nx=True, px=int(task.expires * 1000)))
    except redis.RedisError:
        shared_state().lost()
        return True


def _unmark(name: str, arguments: Sequence[Any]) -> None:
    client = shared_state().client()
    if client is None:
        return
    try:
        client.delete(_key(name, arguments))
    except redis.RedisError:
        shared_state().lost()


def _key(name: str, arguments: Sequence[Any]) -> str:
    return f"rung:{name}:{json.dumps(list(arguments))}"
