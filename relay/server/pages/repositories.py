"""``/repositories``: whose trust data is known; one with its state now and its history."""

from collections.abc import Callable
from typing import Final

from aiohttp import web
from pydantic import Field

from relay.engine.history import said
from relay.model.errors import NotFoundError
from relay.model.trust import Kept
from relay.server.api.operation import Params
from relay.server.api.paging import cursor, name_of, seq_of
from relay.server.api.resources.proofs import Repositories
from relay.server.pages.base import Visitor, page
from relay.server.service import Service
from relay.store import RepositoryQuery, Stretch, standing_of
from relay.trust import State, listing

_ENTRIES: Final = 50
_TAGS: Final = 200
_STANDINGS: Final = (
    ("", "Any"),
    ("signed", "Signed"),
    ("problem", "Does not verify"),
    ("deleted", "Deleted"),
    ("unexamined", "Not examined"),
)


class _History(Params):
    cursor: str | None = Field(None, max_length=200)


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here."""
    return [
        web.get("/repositories", page(service, show_list)),
        web.get("/repositories/{cluster}/{repository:.+}", page(service, show)),
    ]


async def show_list(visitor: Visitor) -> web.Response:
    """Show a page of repositories, in the order of their names."""
    given = visitor.wanted(Repositories)
    wanted = RepositoryQuery(**given.model_dump(exclude={"cursor"}), after=name_of(given.cursor))
    found = await visitor.service.operator.store.views.repositories(wanted)
    return visitor.page(
        "repositories",
        repositories=[(each, standing_of(each), _count(each)) for each in found.rows],
        next=cursor(found.next),
        cut=found.cut,
        said=visitor.query(),
        standings=_STANDINGS,
        clusters=[each.name for each in visitor.service.settings.clusters],
    )


def _count(kept: Kept) -> int | None:
    state = _state(kept)
    return None if state is None else len(listing(state))


def _state(kept: Kept) -> State | None:
    if kept.state is None:
        return None
    try:
        return State.read(kept.state)
    except ValueError:
        # What another release has written: it is examined anew.
        return None


async def show(visitor: Visitor) -> web.Response:
    """Show what is known of a repository. Raises NotFoundError if nothing is."""
    cluster, name = visitor.path("cluster"), visitor.path("repository")
    given = visitor.wanted(_History)
    views = visitor.service.operator.store.views
    namespace = name.partition("/")[0]
    known = await views.repositories(RepositoryQuery(cluster, namespace, search=name, limit=200))
    kept = [each for each in known.rows if each.head.repository == name]
    entries = await views.evidence(
        Stretch(cluster=cluster, subject=name, before=seq_of(given.cursor)), _ENTRIES
    )
    if not kept and not entries.rows and given.cursor is None:
        raise NotFoundError(
            f"nothing is known of a repository {name} of cluster {cluster}: "
            "the relay has seen no trust data of it"
        )
    return visitor.page(
        "repository",
        cluster=cluster,
        repository=name,
        kept=[(each, standing_of(each), _state(each)) for each in kept],
        listing=lambda state: listing(state)[:_TAGS],
        most=_TAGS,
        history=[said(each) for each in entries.rows],
        next=cursor(entries.next),
        cut=entries.cut,
    )
