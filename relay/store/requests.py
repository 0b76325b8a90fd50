"""Writes that bear an idempotency key, and how they were answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from relay.store.inserting import insert_if_new
from relay.store.schema import requests


@dataclass(frozen=True, slots=True)
class Request:
    """A write: its key and fingerprint (hashes), when it came, and the answer; None while it is under way."""

    key: str
    fingerprint: str
    at: datetime
    status: int | None = None
    body: str | None = None


def begin(connection: Connection, found: Sequence[Request]) -> list[Request | None]:
    """Note that writes are under way; return, for each whose key was used before, the one that used it."""
    return [_begin(connection, each) for each in found]


def _begin(connection: Connection, request: Request) -> Request | None:
    row = {"key": request.key, "fingerprint": request.fingerprint, "at": request.at}
    if insert_if_new(connection, requests, row):
        return None
    query = select(requests).where(requests.c.key == request.key)
    return Request(**connection.execute(query).mappings().one())


def finish(connection: Connection, found: Sequence[Request]) -> list[None]:
    """Note how writes were answered."""
    for each in found:
        values = {"status": each.status, "body": each.body}
        connection.execute(update(requests).where(requests.c.key == each.key).values(values))
    return [None] * len(found)
