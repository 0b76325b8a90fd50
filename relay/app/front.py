"""What the relay shows of itself: its listeners, and what their answers are made with."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web

from relay.app import build
from relay.app.build import Tools
from relay.app.places import control_socket
from relay.engine.operate import Operator
from relay.hooks import Hooks
from relay.model.access import Scope
from relay.model.clock import Clock
from relay.model.observation import Report
from relay.model.steps import Step
from relay.render import Pages, Renderer
from relay.render.aside import Aside
from relay.server import (
    Guesses,
    Listener,
    Running,
    Service,
    Stream,
    check_listening,
    control_app,
    public_app,
)
from relay.server.access import require
from relay.server.metrics_route import Scrape, may_scrape, metrics_routes
from relay.settings import Settings


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind the answers. It is asked anew by each request.

    ``take`` takes what is posted to hooks, and ``scrape`` returns the metrics.
    """

    health: Callable[[], Mapping[str, str]]
    operator: Callable[[], Operator]
    running: Callable[[], Running]
    take: Callable[[Report], Awaitable[None]]
    scrape: Scrape


@dataclass(frozen=True, slots=True)
class Made:
    """What answers are made with."""

    settings: Settings
    pages: Pages
    renderer: Renderer


class Front:
    """The listeners of one relay, from ``open`` to ``close``."""

    def __init__(self, settings: Settings, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._guesses = Guesses(clock)
        self._aside = Aside()
        self._opened = AsyncExitStack()
        self._stream: Stream | None = None
        self.change(self.made(settings))

    def made(self, settings: Settings) -> Made:
        """Return what answers by these settings, for ``change``: what can fail of it fails here."""
        return Made(settings, build.pages(settings, self._clock), build.renderer(settings, self._clock))

    def change(self, made: Made) -> None:
        """Answer by this from now on."""
        self._settings, self._pages, self._renderer = made.settings, made.pages, made.renderer

    def step(self, step: Step) -> None:
        """Note that the store has made something durable."""
        if self._stream is not None:
            self._stream.step(step)

    async def open(self, tools: Tools, behind: Behind) -> int:
        """Listen; return the port. Raises ListenError, StoreError.

        Raises ConfigError where it would listen for others though nobody can log in.
        """
        settings = self._settings
        await check_listening(settings.server, tools.store, self._clock.now())
        self._tools, self._behind = tools, behind
        self._access = build.access(lambda: self._settings, tools, self._guesses, self._random_bytes)
        stream = self._stream = Stream(tools.store, self._clock)
        await stream.start()
        self._opened.push_async_callback(self._aside.close)
        metrics = metrics_routes(behind.scrape, self._may_scrape)
        app = public_app(behind.health, self._service, lambda: stream, self._guesses, self._clock, metrics)
        public = Listener(app)
        port = await public.on_tcp(settings.server.listen)
        self._opened.push_async_callback(public.close)
        control = Listener(control_app(behind.operator))
        await control.on_socket(control_socket(settings.store.get_secret_value()))
        self._opened.push_async_callback(control.close)
        # First of all: who listens to the stream is to let go, else closing waits for them.
        self._opened.push_async_callback(stream.close)
        return port

    async def run(self) -> None:
        """Tell who listens what happens, for ever."""
        if self._stream is not None:
            await self._stream.run()

    async def close(self) -> None:
        """Listen no more."""
        await self._opened.aclose()

    async def _may_scrape(self, request: web.Request) -> None:
        """Raise RefusedError for whoever is not to read the metrics."""
        if not may_scrape(request, self._settings.server):
            require(await self._access.principal(request), Scope.READ)

    def _service(self) -> Service:
        return Service(
            operator=self._behind.operator(),
            links=build.links(self._settings, self._tools),
            pages=self._pages,
            renderer=self._renderer,
            settings=self._settings,
            access=self._access,
            random_bytes=self._random_bytes,
            running=self._behind.running,
            hooks=Hooks(build.hooks(self._settings), self._behind.take),
            aside=self._aside,
        )
