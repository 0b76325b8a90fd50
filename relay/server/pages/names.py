"""Cursors of listings that are in the order of names."""

import base64
import binascii
import json

from relay.server.api.problems import invalid
from relay.server.refused import Field

Place = tuple[str, str, str]


def cursor_of(place: Place | None) -> str | None:
    """Return the cursor of a place, None for the end."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def after_of(text: str | None) -> Place | None:
    """Return the place of a cursor. Raises RefusedError."""
    if text is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        found = None
    match found:
        case [str(cluster), str(name), str(key)]:
            return cluster, name, key
    raise invalid([Field("cursor", "this is no `next` of a page of this listing")])
