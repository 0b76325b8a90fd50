"""What the HTTP status of an answer means for a message: one table for all kinds of channel."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from relay.channels.errors import Gone, Refused, Rejected, Retryable, SendError
from relay.http import HttpError, Reason

LONGEST_WAIT: Final = 86400.0
"""Seconds; a receiver that asks for more with Retry-After is asked again after this."""

_TABLE: Final[Mapping[int, tuple[type[SendError], str]]] = {
    401: (Refused, "the receiver does not accept the credentials: correct them"),
    402: (Refused, "the receiver wants to be paid first: see to the account"),
    403: (Refused, "the receiver forbids it: check the credentials and what they may do"),
    404: (Refused, "there is nothing at this URL: correct it"),
    405: (Refused, "the receiver does not take this method: correct `method` or the URL"),
    407: (Refused, "the proxy wants credentials: put them into the proxy's URL"),
    408: (Retryable, "the receiver waited too long for the request"),
    410: (Gone, "the receiver says that it no longer exists"),
    413: (Rejected, "the message is too large for the receiver"),
    425: (Retryable, "the receiver does not want it yet"),
    429: (Retryable, "the receiver wants fewer messages: lower `rate`"),
}
_BY_HUNDRED: Final[Mapping[int, tuple[type[SendError], str]]] = {
    3: (Refused, "redirect refused: configure the final URL"),
    4: (Rejected, "the receiver does not take this message"),
    5: (Retryable, "the receiver has a fault"),
}
_UNHEARD_OF: Final = (Retryable, "the receiver answers with a status that does not exist")
_SECONDS: Final = re.compile(r"(\d{1,9})(\.\d*)?|\d+")


def failure(status: int, headers: Mapping[str, str], answer: str, now: datetime) -> SendError | None:
    """The error that an HTTP answer means; None for a success (2xx, and nothing else).

    `answer` is the body as it may be shown. `now` (aware) is what a date in Retry-After counts from.
    """
    if 200 <= status < 300:
        return None
    kind, text = _TABLE.get(status) or _BY_HUNDRED.get(status // 100) or _UNHEARD_OF
    wait = retry_after(headers, now) if kind is Retryable else None
    return kind(f"status {status}: {text}", status=status, answer=answer, retry_after=wait)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that Retry-After asks to wait, at most `LONGEST_WAIT`; None without one that can be read.

    RFC 9110, 10.2.3: seconds or an HTTP date. Fractions, which some receivers send, are taken too.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if found := _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_WAIT) if found[1] else LONGEST_WAIT
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (aware - now).total_seconds()), LONGEST_WAIT)


def unanswered(error: HttpError) -> SendError:
    """The error that no answer means: only what the configuration is to blame for will not get better."""
    if error.reason in {Reason.BLOCKED, Reason.INVALID}:
        return Refused(str(error))
    return Retryable(str(error))
