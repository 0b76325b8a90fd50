"""Cursors: where the next page of a listing begins, as a text that clients do not look into."""

import base64
import binascii
import json
from datetime import datetime
from typing import Any, Final

from relay.server.api.problems import invalid
from relay.server.refused import Field, RefusedError

_LARGEST: Final = 2**63


def cursor(place: int | tuple[datetime | str, ...] | None) -> str | None:
    """Return the cursor of a place, None for the end."""
    if place is None:
        return None
    parts = (place,) if isinstance(place, int) else place
    said = [each.isoformat() if isinstance(each, datetime) else each for each in parts]
    return base64.urlsafe_b64encode(json.dumps(said, ensure_ascii=False).encode()).decode().rstrip("=")


def seq_of(text: str | None) -> int | None:
    """Return the place of a cursor of something that is numbered. Raises RefusedError."""
    match _read(text):
        case None:
            return None
        case [int(seq)] if 0 <= seq < _LARGEST:
            return seq
    raise _wrong()


def start_of(text: str | None) -> tuple[datetime, str] | None:
    """Return the place of a cursor of something that is ordered by time. Raises RefusedError."""
    match _read(text):
        case None:
            return None
        case [str(at), str(id)]:
            try:
                found = datetime.fromisoformat(at)
            except ValueError:
                raise _wrong() from None
            if found.tzinfo is not None:
                return found, id
    raise _wrong()


def name_of(text: str | None) -> tuple[str, str, str] | None:
    """Return the place of a cursor of something that is ordered by name. Raises RefusedError."""
    match _read(text):
        case None:
            return None
        case [str(cluster), str(name), str(key)]:
            return cluster, name, key
    raise _wrong()


def _read(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise _wrong() from None


def _wrong() -> RefusedError:
    return invalid([Field("cursor", "this is no `next` of a page of this listing")])
