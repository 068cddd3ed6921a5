"""Which behaviours are on, with which parameters; exchangeable at run time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from .behaviours import BEHAVIOURS, Behaviour
from .messages import Call
from .profiles import PROFILES

Kind = TypeVar("Kind", bound=Behaviour)
DEFAULTS: dict[str, Any] = {"seed": 0, "idempotent": False}


@dataclass(frozen=True)
class Scenario:
    """document: what `GET /_chaos` shows.  Immutable; a change makes a new one, so each request sees one whole."""

    document: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULTS))
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        return int(self.document["seed"])

    @property
    def idempotent(self) -> bool:
        """A reference sent again gets the first answer; otherwise it is sold again."""
        return bool(self.document["idempotent"])

    def of_kind(self, kind: type[Kind]) -> list[Kind]:
        return [behaviour for behaviour in self.behaviours.values() if isinstance(behaviour, kind)]

    def striking(self, kind: type[Kind], call: Call) -> Kind | None:
        """The behaviour of this kind, if it is on and acts on this request."""
        return next((behaviour for behaviour in self.of_kind(kind) if behaviour.strikes(call)), None)

    def merged(self, change: Mapping[str, Any]) -> "Scenario":
        """With a merge patch (RFC 7396) applied: null or false takes a behaviour away, true is its defaults.

        "profile" first replaces every behaviour by the profile's.  Raises ValueError for what does not exist.
        """
        document = dict(self.document)
        change = dict(change)
        if profile := change.pop("profile", None):
            if profile not in PROFILES:
                raise ValueError(f"no profile {profile!r}; there are {sorted(PROFILES)}")
            document = {name: document[name] for name in DEFAULTS} | PROFILES[profile]
        for name, value in change.items():
            _apply(document, name, value)
        # An untouched behaviour keeps its instance, and with it what it has counted.
        kept = {name: self.behaviours[name] for name in _untouched(self.document, document, change)}
        built = {name: kept.get(name) or _build(name, document[name]) for name in BEHAVIOURS if name in document}
        return Scenario(document, built)


def _untouched(before: Mapping[str, Any], after: Mapping[str, Any], change: Iterable[str]) -> list[str]:
    return [name for name in after if name in BEHAVIOURS and name not in change and before.get(name) == after[name]]


def _apply(document: dict[str, Any], name: str, value: Any) -> None:
    if name in DEFAULTS:
        kind = type(DEFAULTS[name])
        if type(value) is not kind:
            raise ValueError(f"{name} is of type {kind.__name__}")
        document[name] = value
    elif name not in BEHAVIOURS:
        raise ValueError(f"no behaviour {name!r}; there are {sorted(BEHAVIOURS)}")
    elif value is None or value is False:
        document.pop(name, None)
    elif value is True:
        document[name] = document.get(name, {})
    elif isinstance(value, Mapping):
        merged = {**document.get(name, {}), **value}
        document[name] = {key: parameter for key, parameter in merged.items() if parameter is not None}
    else:
        raise ValueError(f"{name} takes an object of parameters")


def _build(name: str, parameters: Mapping[str, Any]) -> Behaviour:
    kind = BEHAVIOURS[name]
    known = {item.name: item for item in fields(kind) if item.init}
    if unknown := set(parameters) - set(known):
        raise ValueError(f"{name} has no {sorted(unknown)}; it has {sorted(known)}")
    for key, value in parameters.items():
        _check(name, key, value, kind)
    try:
        return kind(**parameters)
    except TypeError as error:  # an element of a list that is not a word
        raise ValueError(f"{name}: {error}") from error


def _check(name: str, key: str, value: Any, kind: type[Behaviour]) -> None:
    """Numbers stay numbers and words words: a scenario that is wrong must fail when it is set, not in a request."""
    default = getattr(kind, key)
    if isinstance(default, bool):
        right = isinstance(value, bool)
    elif default is None or isinstance(default, int | float):
        right = isinstance(value, int | float) and not isinstance(value, bool)
    elif isinstance(default, str):
        right = isinstance(value, str)
    else:
        right = isinstance(value, list | tuple)
    if not right:
        raise ValueError(f"{name}.{key}: {value!r} is not like its default {default!r}")
