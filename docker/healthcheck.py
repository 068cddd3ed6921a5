"""Exit 0 if this container works: asks the web server or, with `pulse`, looks at the sign of life of a worker."""  # noqa: INP001 - a script

import http.client
import os
import sys
import time
from http import HTTPStatus
from pathlib import Path

PULSE_SECONDS = 30  # workers and beat renew it every two


def web_answers() -> bool:
    """Does /healthz answer?  Asked under a name that ALLOWED_HOSTS lets pass."""
    host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip("*.") or "localhost"
    server = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("GRANIAN_PORT", "8000")), timeout=4)
    try:
        server.request("GET", "/healthz", headers={"Host": host})
        return server.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def pulse_is_fresh() -> bool:
    """Has the worker or beat done something lately?"""
    try:
        return time.time() - Path(os.environ["PULSE_FILE"]).stat().st_mtime < PULSE_SECONDS
    except (KeyError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(not (pulse_is_fresh() if sys.argv[1:] == ["pulse"] else web_answers()))
