"""Times as users type and read them, in the configured time zone."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from relay.config.durations import parse_duration
from relay.model.clock import EARLIEST, LATEST
from relay.model.errors import Exit, RelayError

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d:\d\d))?)?", re.IGNORECASE)
_AS = 'write "2026-11-25 18:00" or 2026-11-25T18:00:00Z'


class MomentError(RelayError):
    """What was given is no time that can be meant."""

    exit = Exit.USAGE


def moment(text: str, option: str, zone: str, now: datetime) -> datetime:
    """Return the time, in UTC, that is meant: `now`, RFC 3339, or without an offset by the zone's wall clock.

    Raises MomentError, which names the option.
    """
    if text.strip().lower() == "now":
        return now
    if not _MOMENT.fullmatch(text.strip()):
        raise MomentError(f"{option}: {text!r} is no time: {_AS}")
    try:
        at = datetime.fromisoformat(
            text.strip().upper().replace(" +", "+").replace(" -", "-").replace(" Z", "Z")
        )
        if at.tzinfo is not None:
            return at.astimezone(UTC)
        found = at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        exists = found.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == at
    except (ValueError, OverflowError):
        raise MomentError(f"{option}: there is no such time as {text!r}: {_AS}") from None
    if not exists:
        raise MomentError(f"{option}: in {zone} the clocks pass over {text!r}: give a time before or after")
    return found


def ending(
    lasting: str | None, until: str | None, start: datetime, zone: str, now: datetime
) -> datetime | None:
    """Return when something ends that was given as ``--for`` or ``--until``; None for neither.

    Raises MomentError.
    """
    if lasting is not None and until is not None:
        raise MomentError("give either --for or --until")
    if until is not None:
        return moment(until, "--until", zone, now)
    if lasting is None:
        return None
    span = written_span(lasting, "--for")
    try:
        end = start + span
    except OverflowError:
        raise MomentError("--for: that is beyond the end of the calendar") from None
    if not span:
        raise MomentError("--for: must be longer than 0s")
    return end


def written_span(text: str, option: str) -> timedelta:
    """Return the length of time that `2h` or `1h30m` means. Raises MomentError, which names the option."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise MomentError(f"{option}: {_plain(error)}") from None


def _plain(error: ValueError) -> str:
    message = getattr(error, "message_template", str(error))
    hint = (getattr(error, "context", None) or {}).get("hint")
    return f"{message}; {hint}" if hint else str(message)


def local(at: datetime, zone: str) -> str:
    """Return a time to the minute by the zone's wall clock: `2026-11-25 18:00 CET`."""
    at = min(max(at, EARLIEST), LATEST)
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"


def span(length: timedelta) -> str:
    """Return a length of time in one unit: `12s`, `5m`, `3h`, `8d`."""
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size * (1 if unit == "m" else 2):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
