"""A channel of each kind as nobody has configured it: for looking at messages, not for sending."""

from collections.abc import Mapping
from typing import Any, Final

from relay.channels import channel_type
from relay.channels.base import Channel

_SAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "apprise": {"urls": "json://notify.example.com"},
    "console": {},
    "email": {
        "smtp": {"host": "mail.example.com"},
        "from": "MSR Relay <relay@example.com>",
        "to": "oncall@example.com",
    },
    "slack": {"webhook_url": "https://hooks.slack.example.com/services/sample"},
    "webhook": {"url": "https://hooks.example.com/sample"},
}


def sample_channel(kind: str) -> Channel | None:
    """Return a channel of a kind that can compose; None for a kind by others.

    Raises ConfigError for a kind that there is not.
    """
    found = channel_type(kind)
    if kind not in _SAMPLES:
        return None
    return found.model_validate({"name": "sample", "kind": kind, **_SAMPLES[kind]})
