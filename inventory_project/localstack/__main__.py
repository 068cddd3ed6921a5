"""Run a command with servers of its own: `python -m inventory_project.localstack NAME COMMAND …` (kept in var/NAME)."""

import os
import subprocess
import sys

from inventory_project.localstack.stack import LocalStack


def main() -> int:
    """The command's exit status."""
    name, *command = sys.argv[1:]
    stack = LocalStack(name)
    environment = {**os.environ, **stack.start()}
    try:
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - the caller's own command
    except KeyboardInterrupt:
        return 130
    finally:
        stack.stop()


if __name__ == "__main__":
    sys.exit(main())
