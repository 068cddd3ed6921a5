"""A file at a URL."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, BinaryIO

from suppliers.adapters.answers import Answer, age_of, error_of
from suppliers.adapters.calls import Caller, RequestForm
from suppliers.adapters.files.sources import Fetched
from suppliers.errors import Transient, Unchanged
from suppliers.transport import Deadline, Request, Response

# The tag that a header of an answer gives, and the header that asks with it.
TAGS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


class WebSource:
    def __init__(self, config: Mapping[str, Any], form: RequestForm, call: Caller) -> None:
        self._request = {name: config[name] for name in ("path", "params") if name in config}
        self._done: str = config.get("done", "")
        self._use_last_modified = not config.get("ignore_last_modified", False)
        self._form, self._call = form, call

    def copy(self, into: BinaryIO, tags: Mapping[str, str], deadline: Deadline) -> Fetched:
        if self._done:
            self._require_marker(deadline)
        request = self._form.request(self._request, {})
        conditions = {TAGS[name]: value for name, value in tags.items() if name in TAGS}
        headers = {**request.headers, **conditions, "Accept-Encoding": "identity"}
        sent_at = time.time()
        answer = self._call(_with(request, headers, into), _success, safe=True, deadline=deadline)
        if answer.status == HTTPStatus.NOT_MODIFIED:
            raise Unchanged("its server says so")
        age = age_of(answer.headers, use_last_modified=self._use_last_modified)
        found = {name: answer.headers[name] for name in TAGS if answer.headers.get(name)}
        return Fetched(sent_at - age, found)

    def _require_marker(self, deadline: Deadline) -> None:
        template = {**self._request, "path": self._done.replace("{path}", self._request["path"])}
        answer = self._call(self._form.request(template, {}), _success_or_absent, safe=True, deadline=deadline)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise Transient("The marker that says that the file is whole is not there yet.")


def _with(request: Request, headers: Mapping[str, str], into: BinaryIO) -> Request:
    return Request(request.method, request.url, request.params, headers, into=into)


def _success(response: Response) -> Response:
    if HTTPStatus.OK <= response.status < HTTPStatus.BAD_REQUEST:
        return response
    raise error_of(Answer(response.status, response.headers, None, 0.0, response.body[:500].decode("utf-8", "replace")))


def _success_or_absent(response: Response) -> Response:
    return response if response.status == HTTPStatus.NOT_FOUND else _success(response)
