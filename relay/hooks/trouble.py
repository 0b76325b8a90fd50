"""The event that tells that something posted could not be understood."""

from datetime import datetime
from typing import Final

from relay.hooks.hook import Hook
from relay.http import redact
from relay.model.event import Subject, SubjectKind
from relay.model.hook_details import HookUnreadable
from relay.model.hook_types import UNREADABLE
from relay.model.observation import Fact
from relay.msr.text import one_line

_EXCERPT: Final = 300
_LOOKED_AT: Final = 10 * _EXCERPT
"""Characters of which the excerpt is made: to clean all of a large post would take long."""


def trouble(hook: Hook, reason: str, excerpt: str, at: datetime) -> Fact:
    """Return the fact. There is one an hour for each hook: whoever posts cannot flood people with it."""
    secret = hook.secret.get_secret_value()
    # Whoever configured the sender wrongly may have put the secret there.
    shown = redact(excerpt[: _LOOKED_AT + len(secret)], [secret])[:_LOOKED_AT]
    return Fact(
        type=UNREADABLE,
        identity=(hook.name, f"{at:%Y-%m-%dT%H}"),
        subject=Subject(SubjectKind.HOOK, hook.name),
        summary=f"What was posted to the hook {hook.name} cannot be understood: {reason}",
        happened_at=at,
        details=HookUnreadable(
            hook=hook.name, kind=hook.kind.value, reason=reason, excerpt=one_line(shown, _EXCERPT)
        ).plain(),
    )
