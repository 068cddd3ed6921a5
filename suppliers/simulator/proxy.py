"""The same faults in front of a system that is real: requests are passed on, answers come back through the behaviours.

What acts on rows, pages and sales (their meaning is not known here) does nothing; what acts on requests and on finished
answers does.  Its endpoints are told by method, or by the rules that are given.
"""

import fnmatch
import http.client
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from . import errors
from .disturbed import Disturbed
from .messages import ENDPOINTS, Problem, Reply, Request
from .scenario import Scenario

# Those that concern one connection only (RFC 9110, 7.6.1), and what we write ourselves.
NOT_PASSED_ON = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "trailer", "transfer-encoding",
    "upgrade", "host", "content-length", "accept-encoding", "date", "server", "content-type",
}  # fmt: skip
BY_METHOD = {"GET": "list", "POST": "confirm", "PUT": "confirm", "PATCH": "confirm", "DELETE": "cancel"}
TIMEOUT = 60.0


class ChaosProxy(Disturbed):
    """target: the URL of the real system.  endpoints: "METHOD /path/glob" → endpoint, the first that fits."""

    def __init__(
        self,
        target: str,
        scenario: Scenario,
        *,
        endpoints: Mapping[str, str],
        pause: Callable[[float], bool],
    ) -> None:
        super().__init__(scenario, pause)
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{target!r} is no http(s) URL")
        if unknown := set(endpoints.values()) - set(ENDPOINTS):
            raise ValueError(f"endpoints: unknown {sorted(unknown)}; there are {', '.join(ENDPOINTS)}")
        self._parts = parts
        self._endpoints = dict(endpoints)
        self._opened = time.time()

    def answer(self, request: Request) -> Reply:
        scenario, now = self.scenario, time.time()
        asked = (self._endpoint_of(request), f"{request.method} {request.target}")
        call = self._called(asked, (), scenario, (now, now - self._opened))
        reply = self._around(call, scenario, lambda: self._pass_on(request))
        return self._told(call, errors.rest(reply) if isinstance(reply, Problem) else reply)

    def _endpoint_of(self, request: Request) -> str:
        line = f"{request.method} {request.path}"
        fitting = (endpoint for rule, endpoint in self._endpoints.items() if fnmatch.fnmatchcase(line, rule))
        return next(fitting, BY_METHOD.get(request.method, "list"))

    def _pass_on(self, request: Request) -> Reply:
        """Raises Problem if the real system cannot be reached."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.netloc, timeout=TIMEOUT)
        headers = {name: value for name, value in request.headers.items() if name not in NOT_PASSED_ON}
        if "content-type" in request.headers:
            headers["content-type"] = request.headers["content-type"]
        try:
            target = self._parts.path.rstrip("/") + request.target
            connection.request(request.method, target, request.body or None, headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Problem(502, "BAD_GATEWAY", f"the real system did not answer: {error!r}") from error
        finally:
            connection.close()
        passed = {name: value for name, value in answer.getheaders() if name.lower() not in NOT_PASSED_ON}
        return Reply(answer.status, body, passed, answer.headers.get("Content-Type", "application/octet-stream"))
