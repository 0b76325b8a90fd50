"""What the answers of the server work with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web

from relay.engine.operate import Operator
from relay.engine.routing import Router
from relay.engine.scene import Scene
from relay.engine.sending import Sender
from relay.hooks import Hooks
from relay.model.observation import Look
from relay.render import Pages, Renderer
from relay.render.aside import Aside
from relay.server.access import Access
from relay.server.links import Links
from relay.settings import Settings


@dataclass(frozen=True, slots=True)
class Watched:
    """A watcher, as the running relay knows it: its last look, how often it looks, when it looks next.

    ``late`` is for how many seconds it should have looked and has not, None if it is on time. ``behind`` is
    how many seconds ago the last look began that could read everything; if there was none, since it runs.
    """

    look: Look
    every: timedelta
    due_at: datetime | None = None
    late: float | None = None
    behind: float | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """What a running relay knows of itself that the store does not.

    ``troubles`` is what is wrong, by part (see ``/readyz``).
    """

    since: datetime
    router: Router
    scene: Scene = field(default_factory=Scene)
    watched: Sequence[Watched] = ()
    senders: Sequence[Sender] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """What answers work with. Each request asks for it anew: a reload may have changed it.

    ``random_bytes`` is fit for keys. ``aside`` renders what somebody has typed.
    """

    operator: Operator
    links: Links
    pages: Pages
    renderer: Renderer
    settings: Settings
    access: Access
    random_bytes: Callable[[int], bytes]
    running: Callable[[], Running]
    aside: Aside
    hooks: Hooks


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
