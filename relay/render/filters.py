"""The filters that templates have beside Jinja's own. Each one's docstring is its line in the reference."""

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, Final

from jinja2.exceptions import FilterArgumentError
from markupsafe import Markup, escape

from relay.model.clock import Clock
from relay.render.clean import CUT, clean, cut, cut_bytes, one_line

Filter = Callable[..., Any]

_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_TIME: Final = "%Y-%m-%d %H:%M:%S %Z"
_LABEL: Final = 40
_LONGEST_WIDTH: Final = 1000
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPAN: Final = re.compile(r"`([^`]+)`")
_CODE: Final = (
    r'<code style="font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px;'
    r'background:#e4e8ec;border-radius:3px;padding:1px 4px;">\1</code>'
)
_FORMATTING: Final = re.compile(r"[*_~`]")


def duration(value: float | timedelta) -> str:
    """A time span, given in seconds or as a difference of times, in its two largest units: `1h 5m`."""
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        raise FilterArgumentError("`duration` takes seconds or a difference of times")
    try:
        span = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (OverflowError, ValueError):
        raise FilterArgumentError(f"`duration` cannot say {value} seconds") from None
    rest = int(abs(span).total_seconds())
    parts = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
    sign = "-" if span < timedelta(0) and parts else ""
    return sign + (" ".join(parts[:2]) or "0s")


def as_time(value: datetime | str) -> datetime:
    """The aware time that a template means: a time, or a text as details have it (RFC 3339)."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise FilterArgumentError(f"{str(value)[:40]!r} is not a time") from None
    if not isinstance(time, datetime):
        raise FilterArgumentError("a time is wanted, such as `event.happened_at`")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def short_sha(value: str, length: int = 12) -> str:
    """The first 12 (or `length`) characters of a checksum, without a prefix such as `sha256:`."""
    return value.strip().rpartition(":")[2][:length]


def slack_escape(value: object) -> str:
    """The text with `&`, `<` and `>` as Slack wants them, so that it mentions nobody and links nowhere."""
    return "".join(_ENTITIES.get(char, char) for char in str(value))


def code(value: object) -> str:
    """The text on one line as a code span, `` `so` ``; backticks in it become straight quotes."""
    text = one_line(str(value)).replace("`", "'")
    return f"`{text}`" if text else ""


def mrkdwn(value: object) -> str:
    """The text for Slack's mrkdwn: as it is, or as a code span if it holds `*`, `_`, `~` or a backtick."""
    text = one_line(str(value))
    return code(text) if _FORMATTING.search(text) else text


def truncate_bytes(value: object, limit: int) -> str:
    """At most `limit` bytes of UTF-8, whole characters only; a cut text ends in `…`."""
    return cut_bytes(str(value), limit)


def cut_text(value: object, limit: int) -> str:
    """At most `limit` characters; a cut text ends in `…`. In Slack messages escapes are counted in."""
    return cut(str(value), limit)


def cut_escaped(value: object, limit: int) -> str:
    """As `cut_text`, but `&`, `<` and `>` count as long as Slack's escapes for them."""
    text = str(value)
    if len(slack_escape(text)) <= limit:
        return text
    room = limit - len(CUT)
    for index, char in enumerate(text):
        room -= len(_ENTITIES.get(char, char))
        if room < 0:
            return text[:index].rstrip() + CUT
    return text


def oneline(value: object) -> str:
    """The text on one line, every run of white space as one blank."""
    return one_line(str(value))


def wrap(value: object, width: int = 76, indent: str = "") -> str:
    """The text wrapped at `width` columns, every line after the first begun with `indent`.

    Words that are longer than a line (commands, ids) stay whole.
    """
    return "\n".join(
        line
        for paragraph in clean(str(value)).splitlines() or [""]
        for line in textwrap.wrap(
            paragraph,
            min(width, _LONGEST_WIDTH),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [""]
    )


def aligned(facts: Iterable[Sequence[Any]], width: int = 76) -> str:
    """Pairs of label and value as lines with the values under each other, wrapped at `width` columns."""
    rows = [(cut(one_line(str(label)), _LABEL) + ":", one_line(str(value))) for label, value in facts]
    column = max((len(label) for label, _ in rows), default=0) + 2
    return "\n".join(wrap(f"{label:<{column}}{value}", width, " " * column) for label, value in rows)


def codespans(value: object) -> str:
    """In HTML: the text, escaped, with what stands in backticks as `<code>`. Elsewhere: the text."""
    return str(value)


def codespans_html(value: object) -> Markup:
    """`codespans` for HTML."""
    return Markup(_SPAN.sub(_CODE, str(escape(clean(str(value))))))  # noqa: S704


def listed(values: Iterable[Any], most: int = 10) -> str:
    """The first 10 (or `most`) members, separated by commas, and how many more there are."""
    texts = [one_line(str(value)) for value in values]
    shown = ", ".join(texts[:most])
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most} more"


def as_json(value: Any, *, escape: Callable[[str], str] | None = None, indent: int | None = None) -> str:
    """The value as JSON in ASCII. Times become RFC 3339; each text goes through `escape` if there is one."""
    if escape is None:
        return (_JSON if indent is None else json.JSONEncoder(default=_as_it_is, indent=indent)).encode(value)
    return json.dumps(_jsonable(value, escape), indent=indent)


def _as_it_is(value: Any) -> Any:
    return _jsonable(value, str)


_JSON: Final = json.JSONEncoder(default=_as_it_is)


def _jsonable(value: Any, escape: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item, escape) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(item, escape) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if value is None or isinstance(value, bool | int | float):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return _jsonable(asdict(value), escape)
    return escape(str(value))


def ago(value: datetime | str, *, clock: Clock) -> str:
    """How long ago a time was: `6m ago`; `in 2h` if it is to come."""
    span = clock.now() - as_time(value)
    if abs(span) < timedelta(seconds=1):
        return "just now"
    return f"{duration(span)} ago" if span > timedelta(0) else f"in {duration(-span)}"


def age(value: datetime | str, *, clock: Clock) -> str:
    """How long something has lasted that began then: `8h 2m`; without seconds from one minute on."""
    span = max(timedelta(0), clock.now() - as_time(value))
    minutes = span // timedelta(minutes=1)
    return duration(timedelta(minutes=minutes) if minutes else span)


def localtime(value: datetime | str, form: str = _TIME, *, zone: tzinfo) -> str:
    """A time in the configured zone: `2026-11-23 20:58:11 UTC`, or in a strftime form of your own."""
    time = as_time(value)
    try:
        return time.astimezone(zone).strftime(form)
    except (OverflowError, ValueError):
        return time.isoformat()


def timed(clock: Clock, zone: tzinfo) -> dict[str, Filter]:
    """The filters of `TIMED`, given their clock and their zone."""
    return {
        "age": partial(age, clock=clock),
        "ago": partial(ago, clock=clock),
        "localtime": partial(localtime, zone=zone),
    }


TIMED: Final[dict[str, Filter]] = {"age": age, "ago": ago, "localtime": localtime}
"""The filters that need a clock or a time zone."""

FILTERS: Final[dict[str, Filter]] = {
    "aligned": aligned,
    "code": code,
    "codespans": codespans,
    "cut": cut_text,
    "duration": duration,
    "listed": listed,
    "mrkdwn": mrkdwn,
    "oneline": oneline,
    "short_sha": short_sha,
    "slack_escape": slack_escape,
    "truncate_bytes": truncate_bytes,
    "wrap": wrap,
}
