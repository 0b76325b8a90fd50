"""The event that a form means: one of a type, one that the relay has, or one that was pasted."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from relay.hooks import UnreadableError
from relay.hooks.strict import document
from relay.model.text import storable, storable_tree
from relay.server.refused import RefusedError
from relay.server.trying import Given

FIELDS: Final = ("type", "status", "id", "event")
"""The fields of a form that say which event is meant."""


def given_by(said: Mapping[str, str]) -> Given:
    """Return the event that a form means; a pasted one before an id, an id before a type.

    Raises RefusedError for what is pasted and is no JSON object.
    """
    status = said.get("status", "").strip() or None
    pasted = said.get("event", "").strip()
    if pasted:
        return Given(document=_document(pasted), status=status)
    id = said.get("id", "").strip()
    if id:
        return Given(id=id)
    return Given(type=said.get("type", "").strip() or None, status=status)


def _document(text: str) -> Mapping[str, object]:
    try:
        found: dict[str, object] = storable_tree(document(storable(text).encode()))
    except UnreadableError as error:
        raise _no_event(f"What was pasted cannot be used: {error}.") from None
    return found


def _no_event(title: str) -> RefusedError:
    return RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY, title, "Paste an event, or the body of a webhook, whole."
    )
