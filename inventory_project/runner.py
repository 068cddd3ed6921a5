"""`make demo` and `make demo-check`: start the servers, set Django up, hand over to the demo."""

import os
import shutil
import signal
import sys
from importlib import import_module
from types import FrameType

import django

from inventory_project.localstack import LocalStack, StackError

# Command → folder in var/, the module whose `run(folder)` takes over, and whether it starts from nothing.
COMMANDS = {
    "demo": ("demo", "inventory_project.demo.live", False),
    "check": ("demo-check", "inventory_project.demo.check", True),
}


def main(command: str = "demo") -> int:
    """The exit status: 0 after Ctrl-C or a check that passed."""
    name, module, afresh = COMMANDS[command]
    # Explicitly: a shell that starts us in the background has Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    stack = LocalStack(name)
    if afresh:
        shutil.rmtree(stack.folder, ignore_errors=True)
    try:
        os.environ.update(stack.start())
        set_up(stack)
        return int(import_module(module).run(stack.folder))
    except KeyboardInterrupt:
        return 0
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        # A second Ctrl-C must not leave half of it running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stack.stop()


def set_up(stack: LocalStack) -> None:
    """The environment that every process of the demo has, this one included."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE="inventory_project.settings",
        STATIC_ROOT=str(stack.folder / "static"),
        SUPPLIER_PRIVATE_NETWORKS="true",  # the demo's suppliers run on this machine
        DATABASE_POOL_MAX="32",
        PYTHONUNBUFFERED="1",
    )
    django.setup()


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as after Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
