"""From MSR's bytes to typed values. ValueError, with the reason, for what is none of them."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from relay.msr.answers import Category, NginxStatus, Page, Record, Unreadable
from relay.msr.text import one_line, printable, shorten

T = TypeVar("T")

_ID_LENGTH = 255
_GUN_LENGTH = 4096
_RAW_LENGTH = 500
_TEXT_LENGTH = 500
_SHA256_LENGTH = 64
_CATEGORIES = {category.value: category for category in Category}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", flags=re.ASCII)
_NGINX = re.compile(
    r"Active connections: (\d{1,18})\s+server accepts handled requests\s+(\d{1,18}) (\d{1,18}) (\d{1,18})"
    r"(?: \d{1,18})?\s+Reading: (\d{1,18}) Writing: (\d{1,18}) Waiting: (\d{1,18})",
    flags=re.ASCII,
)


def time(text: object) -> datetime:
    """An RFC 3339 time in UTC. Digits of the fraction beyond the sixth are dropped."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ValueError("not an RFC 3339 time")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a time out of range") from None


def ping(document: object) -> tuple[bool, str]:
    """Health and error text of a `/_ping` or `/health` document."""
    if not isinstance(document, dict) or not isinstance(document.get("Healthy"), bool):
        raise ValueError('no {"Healthy": …} document')
    error = document.get("Error")
    return document["Healthy"], one_line(error, _TEXT_LENGTH) if isinstance(error, str) else ""


def nginx_status(text: str) -> NginxStatus:
    """The figures of nginx's stub_status page."""
    found = _NGINX.search(text)
    if found is None:
        raise ValueError("no stub_status page of nginx")
    return NginxStatus(*map(int, found.groups()))


def page(document: object) -> Page:
    """A page of the changefeed. A record that cannot be read is part of it, as Unreadable."""
    if not isinstance(document, dict) or "records" not in document:
        raise ValueError('no {"records": […]} document')
    records = document["records"]
    if records is None:
        return Page(())
    if not isinstance(records, list):
        raise ValueError('"records" is not a list')
    return Page(tuple(record(one) for one in records))


def record(raw: object) -> Record | Unreadable:
    """One record of the changefeed."""
    if not isinstance(raw, dict):
        return _unreadable(raw, {}, "not an object")
    try:
        return Record(
            id=_id(raw.get("ID")),
            created_at=_created_at(raw.get("CreatedAt")),
            gun=_gun(raw.get("GUN")),
            version=_version(raw.get("Version")),
            sha256=_sha256(raw.get("SHA256")),
            category=_category(raw.get("Category")),
        )
    except ValueError as error:
        return _unreadable(raw, raw, str(error))


def _unreadable(raw: object, fields: Mapping[str, object], reason: str) -> Unreadable:
    return Unreadable(
        raw=_excerpt(raw),
        reason=reason,
        id=_attempt(_id, fields.get("ID")),
        gun=_attempt(_gun, fields.get("GUN")) or "",
        category=_attempt(_category, fields.get("Category")),
    )


def _attempt(parse: Callable[[object], T], value: object) -> T | None:
    try:
        return parse(value)
    except ValueError:
        return None


def _excerpt(raw: object) -> str:
    try:
        return one_line(json.dumps(raw), _RAW_LENGTH)
    except RecursionError:
        return ""


def _id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= _ID_LENGTH or printable(value) != value:
        raise ValueError("no usable ID")
    return value


def _created_at(value: object) -> datetime:
    try:
        return time(value)
    except ValueError as error:
        raise ValueError(f"CreatedAt is {error}") from None


def _gun(value: object) -> str:
    # A deletion must be told even if its name cannot be read: no name at all is better than no record.
    return shorten(printable(value), _GUN_LENGTH) if isinstance(value, str) else ""


def _version(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError("Version is not a number")
    return value


def _sha256(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("SHA256 is not a text")
    # PostgreSQL pads the column with blanks.
    return one_line(value, _SHA256_LENGTH)


def _category(value: object) -> Category:
    category = _CATEGORIES.get(value) if isinstance(value, str) else None
    if category is None:
        raise ValueError("Category is neither update nor deletion")
    return category
