"""What is written down: repositories and their trust data, the evidence, and what users did."""

import json
from http import HTTPStatus
from typing import Any, Final

from pydantic import AwareDatetime, Field

from relay.model.access import Scope
from relay.model.errors import NotFoundError
from relay.model.evidence import Entry, Kind
from relay.model.text import storable_tree
from relay.model.trust import Kept, trust_key
from relay.model.trust_details import Lost
from relay.server.api.operation import CUT, Call, Document, Nothing, Operation, Paged, Time
from relay.server.api.paging import cursor, name_of, seq_of
from relay.server.api.problems import invalid
from relay.server.refused import Field as Wrong
from relay.store import DeedQuery, RepositoryQuery, Stretch, TrustStanding, standing_of
from relay.trust import State
from relay.trust.typed import lost

TAG: Final = "trust data, evidence, journal"
_TIME: Final = "seen at or after this time"


class Repositories(Paged):
    """Which repositories are wanted."""

    cluster: str | None = Field(None, max_length=200, description="the name of a cluster")
    namespace: str | None = Field(None, max_length=200, description="the whole namespace")
    standing: TrustStanding | None = Field(None, description="what is known of its trust data")
    search: str | None = Field(None, min_length=1, max_length=200, description="contained in the name")


class RepositoryDocument(Document):
    """A repository that has, or had, trust data."""

    cluster: str
    repository: str = Field(description="namespace/name; empty if its records do not tell it")
    gun: str = Field(description="the name under which its trust data was signed")
    standing: TrustStanding
    version: int = Field(description="that of the newest record; 0: it is a deletion")
    written_at: AwareDatetime = Field(description="when that was written, by notary's clock")
    problem: str | None = Field(description="why its trust data does not verify")
    lost_at: AwareDatetime | None = Field(description="when it was deleted last")
    expires_at: AwareDatetime | None = Field(description="the first expiry that can be warned of")
    deletions: int


class RepositoryInFull(RepositoryDocument):
    """A repository with its last examined state."""

    state: Lost | None = Field(description="as it was examined last: tags, signers, keys, expiry")


class RepositoryPage(Document):
    """A page of repositories, in the order of their names."""

    items: list[RepositoryDocument]
    next: str | None
    cut: bool = Field(description=CUT)


class Evidence(Paged):
    """Which entries of the evidence are wanted."""

    cluster: str | None = Field(None, max_length=200, description="the name of a cluster")
    kind: Kind | None = Field(None, description="what sort of entry")
    subject: str | None = Field(None, max_length=500, description="the repository; the channel of an anchor")
    since: Time | None = Field(None, description=_TIME)
    until: Time | None = Field(None, description="seen before this time")


class EntryDocument(Document):
    """An entry of the evidence, as the store has it. `msr-relay audit verify` tells whether it holds."""

    seq: int
    at: AwareDatetime | None = Field(description="null: the store has no time there any more")
    cluster: str | None
    kind: str
    subject: str
    body: Any = Field(description="what was seen; a text if that is no JSON any more")
    signature: str | None
    prev: str
    hash: str


class EvidencePage(Document):
    """A page of the evidence, the latest entries first."""

    items: list[EntryDocument]
    next: str | None
    cut: bool = Field(description=CUT)


class Journal(Paged):
    """Which deeds are wanted."""

    who: str | None = Field(None, max_length=300, description="who did it")
    action: str | None = Field(None, max_length=100, description="what: `silence`, `replay`, `login`, …")
    subject: str | None = Field(None, max_length=300, description="to what: an id, a channel")
    since: Time | None = Field(None, description="done at or after this time")
    until: Time | None = Field(None, description="done before this time")


class DeedDocument(Document):
    """Something that somebody did to the relay."""

    at: AwareDatetime
    who: str
    action: str
    subject: str
    note: str


class JournalPage(Document):
    """A page of the journal, the latest first."""

    items: list[DeedDocument]
    next: str | None
    cut: bool = Field(description=CUT)


async def list_repositories(call: Call[Repositories, None]) -> RepositoryPage:
    """List the repositories that have, or had, trust data."""
    said = call.query.model_dump(exclude={"cursor"})
    views = call.service.operator.store.views
    page = await views.repositories(RepositoryQuery(**said, after=name_of(call.query.cursor)))
    return RepositoryPage(items=[_known(each) for each in page.rows], next=cursor(page.next), cut=page.cut)


async def show_repository(call: Call[Nothing, None]) -> RepositoryInFull:
    """Show what is kept of one repository."""
    cluster, gun = call.path["cluster"], call.path["gun"]
    kept = await call.service.operator.store.views.repository(trust_key(cluster, gun))
    if kept is None:
        raise NotFoundError(f"nothing is known of trust data under {gun} in cluster {cluster}")
    return RepositoryInFull(**dict(_known(kept)), state=_state(kept))


def _known(kept: Kept) -> RepositoryDocument:
    head = kept.head
    return RepositoryDocument(
        cluster=head.cluster,
        repository=head.repository,
        gun=head.gun,
        standing=standing_of(kept),
        version=head.version,
        written_at=head.at,
        problem=kept.problem,
        lost_at=kept.lost_at,
        expires_at=kept.expires_at,
        deletions=kept.deletions,
    )


def _state(kept: Kept) -> Lost | None:
    if kept.state is None:
        return None
    exact = kept.state_sha256 == kept.head.sha256
    try:
        return lost(State.read(kept.state), kept.state_at, exact=exact)
    except ValueError:
        # A newer release has written it.
        return None


async def list_evidence(call: Call[Evidence, None]) -> EvidencePage:
    """List the evidence, the latest entries first."""
    said = call.query.model_dump(exclude={"cursor", "limit"})
    wanted = Stretch(**said, before=seq_of(call.query.cursor))
    page = await call.service.operator.store.views.evidence(wanted, call.query.limit)
    return EvidencePage(items=[_entry(each) for each in page.rows], next=cursor(page.next), cut=page.cut)


async def show_entry(call: Call[Nothing, None]) -> EntryDocument:
    """Show one entry of the evidence."""
    seq = call.path["seq"]
    if not (seq.isascii() and seq.isdigit()) or len(seq) > 18:
        raise invalid([Wrong("seq", "must be the number of an entry")])
    entry = await call.service.operator.store.views.entry(int(seq))
    if entry is None:
        raise NotFoundError(f"there is no entry {seq}: it may have been pruned")
    return _entry(entry)


def _entry(entry: Entry) -> EntryDocument:
    # After tampering a field may be anything.
    try:
        body = json.loads(entry.body)
    except (TypeError, ValueError, RecursionError):
        body = str(entry.body)
    texts = {name: str(getattr(entry, name)) for name in ("kind", "subject", "prev", "hash")}
    optional = {
        name: None if (value := getattr(entry, name)) is None else str(value)
        for name in ("cluster", "signature")
    }
    return EntryDocument(seq=entry.seq, at=entry.time, body=storable_tree(body), **texts, **optional)


async def list_journal(call: Call[Journal, None]) -> JournalPage:
    """List what users did, the latest first."""
    said = call.query.model_dump(exclude={"cursor"})
    views = call.service.operator.store.views
    page = await views.deeds(DeedQuery(**said, before=seq_of(call.query.cursor)))
    items = [DeedDocument.model_validate(each) for each in page.rows]
    return JournalPage(items=items, next=cursor(page.next), cut=page.cut)


_GONE: Final = (HTTPStatus.NOT_FOUND,)
_GUN: Final = {
    "cluster": "the name of a cluster",
    "gun": "the name under which it is signed, with its slashes",
}

OPERATIONS: Final = (
    Operation(
        "GET", "/repositories", list_repositories, RepositoryPage, Scope.READ, TAG, query=Repositories
    ),
    Operation(
        "GET", "/repositories/{cluster}/{gun:.+}", show_repository, RepositoryInFull, Scope.READ, TAG,
        refusals=_GONE, path_texts=_GUN,
    ),
    Operation("GET", "/evidence", list_evidence, EvidencePage, Scope.READ, TAG, query=Evidence),
    Operation(
        "GET", "/evidence/{seq}", show_entry, EntryDocument, Scope.READ, TAG,
        refusals=_GONE, path_texts={"seq": "the entry's number"},
    ),
    Operation("GET", "/journal", list_journal, JournalPage, Scope.READ, TAG, query=Journal),
)  # fmt: skip
"""What can be asked of what is written down."""
