"""What an adapter brings along, so that nobody else need know which adapters there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from suppliers.adapters.calls import Connect
from suppliers.adapters.pushes import ConfiguredPushes
from suppliers.errors import NotConfigured
from suppliers.readings import Adapter, PushReceiver

Config = Mapping[str, Any]
Secrets = Mapping[str, str]
UNTRIED = "written from its documentation and contract-tested, not run against the live system"
Factory = Callable[[Config, Secrets, Connect], Adapter]


def as_configured(config: Config) -> Config | None:
    """The `push` part as it stands."""
    part: Config | None = config.get("push")
    return part


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to speak to suppliers.

    make: from a valid configuration with all its secrets.  faults: of any JSON, each as "path: what is wrong".
    secrets: name → what it is, of those that a valid configuration needs.
    pushes: the whole `push` part of a valid configuration; None if it has none.
    tried: whether it has met what it speaks to.
    """

    name: str
    make: Factory
    faults: Callable[[Any], list[str]]
    secrets: Callable[[Config], Mapping[str, str]]
    pushes: Callable[[Config], Config | None] = as_configured
    tried: bool = True

    @property
    def label(self) -> str:
        """For a person who chooses one."""
        return self.name if self.tried else f"{self.name}: {UNTRIED}"

    def missing(self, config: Config, secrets: Secrets) -> list[str]:
        """What a valid configuration needs and these secrets lack, each as "name: what it is"."""
        return [f"{name}: {what}" for name, what in self.secrets(config).items() if not secrets.get(name)]

    def build(self, config: Config, secrets: Secrets, connect: Connect) -> Adapter:
        """Raises: NotConfigured with every fault, or with every secret that is missing."""
        self._require_usable(config, secrets)
        return self.make(config, secrets, connect)

    def receiver(self, config: Config, secrets: Secrets) -> PushReceiver | None:
        """What receives pushes; None if none are configured.  Raises: as `build`."""
        self._require_usable(config, secrets)
        part = self.pushes(config)
        return None if part is None else ConfiguredPushes(part, secrets)

    def _require_usable(self, config: Config, secrets: Secrets) -> None:
        faults = self.faults(config)
        if faults:
            raise NotConfigured("The configuration is not valid: " + " · ".join(faults))
        missing = self.missing(config, secrets)
        if missing:
            raise NotConfigured("The credentials lack " + " · ".join(missing))
