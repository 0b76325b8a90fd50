"""A hook: a path of the relay to which one sender may post, with a secret."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr

from relay.model.observation import Report, Watch


class HookKind(StrEnum):
    """Who posts: MSR, or Alertmanager."""

    MSR = "msr"
    ALERTMANAGER = "alertmanager"


@dataclass(frozen=True, slots=True)
class Hook:
    """What may be posted to ``/hooks/NAME``, by whoever knows the secret, and of which cluster it tells."""

    name: str
    kind: HookKind
    cluster: str
    secret: SecretStr

    @property
    def watch(self) -> Watch:
        """The watch that its reports belong to."""
        return Watch(self.cluster, f"hooks/{self.name}")


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks by name, and what takes their reports: it returns once they are committed, or StoreError."""

    by_name: Mapping[str, Hook]
    take: Callable[[Report], Awaitable[None]]
