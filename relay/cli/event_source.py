"""The event that ``--event`` means: the sample of a type, or what a file holds."""

import sys
from pathlib import Path

from relay.engine.given import MAX_BYTES, EventError, Found, given_text, given_type
from relay.model.catalogue import CATALOGUE
from relay.model.errors import NotFoundError
from relay.model.near import near
from relay.settings import Settings


def find_event(source: str, status: str | None, settings: Settings) -> Found:
    """Return the event: ``source`` is an event type, a file, or ``-`` for standard input.

    A sample is of the first configured cluster, with its labels, and has the configured severity. Raises
    NotFoundError for neither type nor file, EventError for a file that holds no event.
    """
    world = settings.surroundings
    if source in CATALOGUE:
        return given_type(source, status, world)
    if source == "-":
        return given_text("standard input", sys.stdin.buffer.read(MAX_BYTES + 1), status, world)
    path = Path(source)
    if not path.is_file():
        raise NotFoundError(f"{source} is no file and no event type: {near(source, CATALOGUE)}")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise EventError(f"{source}: cannot be read: {error.strerror}") from None
    return given_text(source, raw, status, world)
