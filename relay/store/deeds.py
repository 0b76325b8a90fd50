"""What users did, and the record of it: silences, acknowledgements, replays. Each is one transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, delete, insert, select

from relay.model.delivery import Delivery
from relay.model.silence import Acknowledgement, Silence
from relay.store import rows
from relay.store.inserting import upsert
from relay.store.parts import parts
from relay.store.schema import acknowledgements, deliveries, journal, silences
from relay.store.writes import add_deliveries


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a user did: who, when, what, to what, and a note."""

    at: datetime
    who: str
    action: str
    subject: str
    note: str = ""


def save_silences(connection: Connection, found: Sequence[tuple[Silence, Deed]]) -> list[None]:
    """Save silences, and who made or ended them."""
    upsert(connection, silences, ["id"], [rows.silence_row(silence) for silence, _ in found])
    return record(connection, [deed for _, deed in found])


def acknowledge(connection: Connection, found: Sequence[tuple[Acknowledgement, Deed]]) -> list[None]:
    """Save acknowledgements, and who made them; a later one takes the place of an earlier one."""
    for each, deed in found:
        upsert(connection, acknowledgements, ["thread"], [rows.acknowledgement_row(each)])
        record(connection, [deed])
    return [None] * len(found)


def unacknowledge(connection: Connection, found: Sequence[tuple[str, Deed]]) -> list[None]:
    """Forget the acknowledgements of threads, and write down who wanted that."""
    for thread, deed in found:
        connection.execute(delete(acknowledgements).where(acknowledgements.c.thread == thread))
        record(connection, [deed])
    return [None] * len(found)


def record(connection: Connection, deeds: Sequence[Deed]) -> list[None]:
    """Write down what users did."""
    connection.execute(insert(journal), [asdict(deed) for deed in deeds])
    return [None] * len(deeds)


@dataclass(frozen=True, slots=True)
class Replays:
    """Deliveries that repeat earlier ones, and who asked for each. ``fresh``: only of what was not replayed
    before, even if somebody else has asked for the same meanwhile."""

    replays: Sequence[tuple[Delivery, Deed]]
    fresh: bool = False


def add_replays(connection: Connection, runs: Sequence[Replays]) -> list[list[Delivery]]:
    """Add deliveries that repeat earlier ones, and who asked for it; return those that were added."""
    added = []
    for run in runs:
        column = deliveries.c.replay_of if run.fresh else deliveries.c.id
        there = _there(connection, column, [_name(each, column) for each, _ in run.replays])
        new = [(each, deed) for each, deed in run.replays if _name(each, column) not in there]
        if new:
            add_deliveries(connection, [delivery for delivery, _ in new])
            record(connection, [deed for _, deed in new])
        added.append([delivery for delivery, _ in new])
    return added


def _name(delivery: Delivery, column: Column[Any]) -> str:
    return str(getattr(delivery, column.name))


def _there(connection: Connection, column: Column[Any], names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in parts(names):
        # With what makes the index partial: see ``deliveries_replays``.
        query = select(column).where(column.in_(part), column.is_not(None))
        found.update(connection.execute(query).scalars())
    return found
