"""What others post to the relay: MSR's own webhooks, and Alertmanager's. Pure: bytes in, a report out."""

from relay.hooks.hook import Hook, HookKind, Hooks
from relay.hooks.reading import read, unreadable
from relay.hooks.strict import UnreadableError

__all__ = ["Hook", "HookKind", "Hooks", "UnreadableError", "read", "unreadable"]
