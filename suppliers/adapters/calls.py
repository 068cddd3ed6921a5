"""How an adapter reaches its supplier: it forms requests, somebody else decides when and how often they go out."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from suppliers import guard
from suppliers.adapters.limits import Limits
from suppliers.adapters.templates import Variables, render, render_path, render_text
from suppliers.errors import BlockedAddress
from suppliers.transport import Deadline, Request, Response

Result = TypeVar("Result")


class Caller(Protocol):
    """Sends a request under the supplier's limits and hands the answer to `read`.

    safe: it changes nothing upstream, so it may be repeated.  What `read` raises counts as the call's failure.
    """

    def __call__(
        self, request: Request, read: Callable[[Response], Result], *, safe: bool, deadline: Deadline
    ) -> Result: ...


Connect = Callable[[Limits], Caller]


class RequestForm:
    """Request templates of one supplier, all on one host."""

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self.base_url: str = config["base_url"].rstrip("/")
        self.origin = guard.check_url(self.base_url)
        self._headers: Mapping[str, Any] = config.get("headers", {})
        self._constants = {"base_url": self.base_url} | {f"secret.{name}": value for name, value in secrets.items()}

    def values(self, variables: Variables) -> Variables:
        """The variables of one call, and those known everywhere."""
        return {**self._constants, **variables}

    def request(self, template: Mapping[str, Any], variables: Variables) -> Request:
        """Raises: NotConfigured for an unknown variable, BlockedAddress if it would leave the host."""
        values = self.values(variables)
        headers = {**self._headers, **template.get("headers", {})}
        return Request(
            method=template.get("method", "GET"),
            url=self._url(template, values),
            params=_without_nulls(render(template.get("params", {}), values)),
            headers={name: render_text(str(text), values) for name, text in headers.items()},
            json=render(template["json"], values) if "json" in template else None,
            form=_without_nulls(render(template["form"], values)) if "form" in template else None,
        )

    def _url(self, template: Mapping[str, Any], values: Variables) -> str:
        if "url" in template:
            return self.same_host(render_text(template["url"], values))
        return self.same_host(self.base_url + render_path(template.get("path", ""), values))

    def same_host(self, url: str) -> str:
        """An address that upstream gave us is followed on its own host only: anything else would be an open relay."""
        if guard.check_url(url) != self.origin:
            raise BlockedAddress(f"{urlsplit(url).hostname} is not the host of this supplier.")
        return url


def with_header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers={**request.headers, name: value})


def with_basic(request: Request, username: str, password: str) -> Request:
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return with_header(request, "Authorization", f"Basic {pair}")


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
