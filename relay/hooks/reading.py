"""From what was posted to a report."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from relay.hooks import alertmanager, msr
from relay.hooks.hook import Hook, HookKind
from relay.hooks.strict import document
from relay.hooks.trouble import trouble
from relay.model.observation import Report

_KINDS: Final[Mapping[HookKind, Callable[[Hook, dict[str, Any], datetime], Report]]] = {
    HookKind.MSR: msr.report,
    HookKind.ALERTMANAGER: alertmanager.report,
}
_BEGINNING: Final = 64 * 1024
"""Bytes of what cannot be understood that are looked at; far less is shown."""


def read(hook: Hook, body: bytes, at: datetime) -> Report:
    """Return what was posted as a report. Raises UnreadableError for what cannot be understood at all.

    The same body makes the same events, whenever it comes.
    """
    return _KINDS[hook.kind](hook, document(body), at)


def unreadable(hook: Hook, reason: str, body: bytes, at: datetime) -> Report:
    """Return a report that something came which cannot be understood."""
    fact = trouble(hook, reason, body[:_BEGINNING].decode(errors="replace"), at)
    return Report(hook.watch, at, (), facts=(fact,), complete=False, idle=True)
