"""A message for any kind of channel."""

from datetime import UTC, datetime
from typing import Any

from relay.model.delivery import Message

AT = datetime(2026, 11, 23, 21, 0, 0, tzinfo=UTC)
PARTS = {
    "json": '{"type": "trust.deleted", "text": "Trust data of prod/app was deleted"}',
    "subject.txt": "Trust data of prod/app was deleted",
    "title.txt": "Trust data of prod/app was deleted",
    "txt": "prod/app has lost its trust data.\nSign it again.",
    "html": "<p>prod/app has lost its trust data.</p>",
}


def message(**changes: Any) -> Message:
    given: dict[str, Any] = {
        "id": "dlv_0123456789abcdef",
        "type": "trust.deleted",
        "status": "event",
        "severity": "critical",
        "timestamp": datetime(2026, 11, 23, 20, 58, 11, tzinfo=UTC),
        "at": AT,
        "thread": "evt_0123456789abcdef",
        "parts": PARTS,
    }
    return Message(**(given | changes))
