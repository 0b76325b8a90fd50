"""How long a server asks to be left alone."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 86400.0
"""Seconds; a server that asks for more is asked again after this."""


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that Retry-After asks to wait, at most `LONGEST_WAIT`; None without one that can be read.

    RFC 9110, 10.2.3: seconds or an HTTP date. Fractions, which some servers send, are taken too. `now`
    (aware) is what a date counts from.
    """
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value) if value[:1].isdigit() else (_http_date(value) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)


def _http_date(value: str) -> datetime:
    moment = parsedate_to_datetime(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
