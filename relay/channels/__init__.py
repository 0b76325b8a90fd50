"""The kinds of channel. A kind is one module and one line here; third parties add theirs as entry points.

What is not configured is not imported.
"""

import difflib
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

from relay.channels.base import Channel, Rate, Retry
from relay.channels.errors import BadBody, Gone, Refused, Rejected, Retryable, SendError
from relay.model.errors import ConfigError

__all__ = [
    "ENTRY_POINTS",
    "KINDS",
    "BadBody",
    "Channel",
    "Gone",
    "Rate",
    "Refused",
    "Rejected",
    "Retry",
    "Retryable",
    "SendError",
    "channel_type",
    "kinds",
]

KINDS: Final[Mapping[str, str]] = {
    "apprise": "relay.channels.apprise:Apprise",
    "console": "relay.channels.console:Console",
    "email": "relay.channels.email:Email",
    "slack": "relay.channels.slack:Slack",
    "webhook": "relay.channels.webhook:Webhook",
}
"""Kind → "module:class" of the kinds that come with the product."""

ENTRY_POINTS: Final = "msr_relay.channels"
"""The entry point group of kinds by third parties; the entry point's name is the kind."""


@cache
def kinds() -> Mapping[str, str]:
    """All kinds there are, with where each is found. The product's own cannot be replaced."""
    return {**{point.name: point.value for point in entry_points(group=ENTRY_POINTS)}, **KINDS}


def channel_type(kind: str) -> type[Channel]:
    """The configuration model of a kind; ConfigError, with the near miss, for one that there is not."""
    known = kinds()
    if kind not in known:
        near = difflib.get_close_matches(kind, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
        raise ConfigError(f"unknown kind of channel {kind!r}: {hint}")
    module, _, name = known[kind].partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"the kind of channel {kind!r} cannot be loaded from {known[kind]}: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Channel)):
        raise ConfigError(f"the kind of channel {kind!r}: {known[kind]} is no relay.channels.Channel")
    return found
