"""What an adapter brings along, so that nobody else need know which adapters there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from suppliers.adapters.calls import Connect
from suppliers.errors import NotConfigured
from suppliers.readings import Adapter

Config = Mapping[str, Any]
Secrets = Mapping[str, str]
Factory = Callable[[Config, Secrets, Connect], Adapter]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to speak to suppliers.

    make: from a valid configuration with all its secrets.  faults: of any JSON, each as "path: what is wrong".
    secrets: name → what it is, of those that a valid configuration needs.
    """

    label: str
    make: Factory
    faults: Callable[[Any], list[str]]
    secrets: Callable[[Config], Mapping[str, str]]

    def missing(self, config: Config, secrets: Secrets) -> list[str]:
        """What a valid configuration needs and these secrets lack, each as "name: what it is"."""
        return [f"{name}: {what}" for name, what in self.secrets(config).items() if not secrets.get(name)]

    def build(self, config: Config, secrets: Secrets, connect: Connect) -> Adapter:
        """Raises: NotConfigured with every fault, or with every secret that is missing."""
        faults = self.faults(config)
        if faults:
            raise NotConfigured("The configuration is not valid: " + " · ".join(faults))
        missing = self.missing(config, secrets)
        if missing:
            raise NotConfigured("The credentials lack " + " · ".join(missing))
        return self.make(config, secrets, connect)
