"""Reading `cluster_status`: every key is optional, and one bad part does not spoil the rest."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from relay.msr import parse
from relay.msr.answers import ClusterStatus, Issue
from relay.msr.text import one_line, printable, shorten

T = TypeVar("T")

_MOST = 1000
"""Issues, replicas, and members of one `info` that are read; a real cluster has a handful."""
_MOST_QUIRKS = 50
_NAME_LENGTH = 255
_TEXT_LENGTH = 4000
_INFO_DEPTH = 8


def cluster_status(document: object) -> ClusterStatus:
    """The status in a document; ValueError if it is none. What cannot be read is listed in `quirks`."""
    if not isinstance(document, dict):
        raise ValueError("no object")
    quirks: list[str] = []
    issues = _issues(document, quirks)
    complete = not quirks
    lock = document.get("gc_lock_holder")
    return ClusterStatus(
        issues=issues,
        issues_complete=complete,
        replica_health=_by_replica(document, "replica_health", _health, quirks),
        replica_timestamp=_by_replica(document, "replica_timestamp", parse.time, quirks),
        replica_readonly=_by_replica(document, "replica_readonly", _boolean, quirks),
        gc_lock_holder=one_line(lock, _NAME_LENGTH) if isinstance(lock, str) else "",
        quirks=tuple(quirks[:_MOST_QUIRKS]),
    )


def _issues(document: Mapping[str, object], quirks: list[str]) -> tuple[Issue, ...]:
    issues: list[Issue] = []
    for place, raw in _raw_issues(document, quirks):
        issue = _issue(place, raw, quirks)
        if issue is not None and issue not in issues:
            issues.append(issue)
    return tuple(issues)


def _raw_issues(document: Mapping[str, object], quirks: list[str]) -> Iterator[tuple[str, object]]:
    tables = document.get("rethink_system_tables")
    if tables is not None and not isinstance(tables, dict):
        quirks.append("rethink_system_tables: not an object")
    for prefix, holder in (("", document), ("rethink_system_tables.", tables)):
        if not isinstance(holder, dict):
            continue
        rows = holder.get("current_issues")
        if isinstance(rows, list):
            if len(rows) > _MOST:
                quirks.append(f"{prefix}current_issues: more than {_MOST}")
            yield from ((f"{prefix}current_issues[{index}]", row) for index, row in enumerate(rows[:_MOST]))
        elif rows is not None:
            quirks.append(f"{prefix}current_issues: not a list")


def _issue(place: str, raw: object, quirks: list[str]) -> Issue | None:
    if not isinstance(raw, dict):
        quirks.append(f"{place}: not an object")
        return None
    critical, description, info = raw.get("critical"), raw.get("description"), raw.get("info")
    if not isinstance(critical, bool):
        quirks.append(f"{place}.critical: neither true nor false, taken for true")
    if not isinstance(description, str):
        quirks.append(f"{place}.description: not a text")
    if info is not None and not isinstance(info, dict):
        quirks.append(f"{place}.info: not an object")
    return Issue(
        id=_name(raw.get("id")) or None,
        type=_name(raw.get("type")),
        critical=critical if isinstance(critical, bool) else True,
        description=shorten(printable(description), _TEXT_LENGTH) if isinstance(description, str) else "",
        info={_name(key): _plain(value, _INFO_DEPTH) for key, value in _first(info)},
    )


def _by_replica(
    document: Mapping[str, object], key: str, parse_one: Callable[[object], T], quirks: list[str]
) -> dict[str, T]:
    raw = document.get(key)
    if raw is not None and not isinstance(raw, dict):
        quirks.append(f"{key}: not an object")
    read: dict[str, T] = {}
    for replica, value in _first(raw):
        name = _name(replica)
        try:
            read[name] = parse_one(value)
        except ValueError as error:
            quirks.append(f"{key}[{name}]: {error}")
    return read


def _first(raw: object) -> list[tuple[str, object]]:
    return list(raw.items())[:_MOST] if isinstance(raw, dict) else []


def _name(value: object) -> str:
    return one_line(value, _NAME_LENGTH) if isinstance(value, str) else ""


def _health(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return one_line(value, _NAME_LENGTH)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _plain(value: object, depth: int) -> object:
    if isinstance(value, str):
        return shorten(printable(value), _TEXT_LENGTH)
    if isinstance(value, list):
        return [_plain(one, depth - 1) for one in value[:_MOST]] if depth else []
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {_name(key): _plain(one, depth - 1) for key, one in _first(value)} if depth else {}
    return value
