"""An imitated cluster on loopback, in the thread of the other servers, so that a subprocess can reach it."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

from aiohttp import web

from relay.demo.feed import RethinkDb
from relay.demo.imitation import Imitation, User
from relay.model.clock import SystemClock
from relay.watch import WATCHERS
from tests.real.inbox import Inbox
from tests.real.loops import LoopThread, free_port, listen

T = TypeVar("T")

PASSWORD = "an administrator's password"


class Cluster:
    """Replicas that answer over plain HTTP; the feed shows records at once."""

    host = "msr.example.com"

    def __init__(self, thread: LoopThread, replicas: tuple[str, ...] = ("f2277ad178f7",)) -> None:
        self._thread = thread
        self.imitation = Imitation(
            self.host,
            replicas,
            users=[User("relay", PASSWORD, admin=True)],
            back_end=RethinkDb(Random(1), blackout=timedelta(0)),
            clock=SystemClock(),
            random=Random(7),
        )
        self.requests: Inbox[str] = Inbox()
        self._runners: list[web.AppRunner] = []
        self._ports = {name: free_port() for name in replicas}
        self.start()

    def start(self) -> None:
        self._thread.run(self._start())

    def stop(self) -> None:
        """All replicas refuse connections until `start`, which comes back under the same URLs."""
        self._thread.run(self._stop())

    def do(self, deed: Callable[[Imitation], T]) -> T:
        """Change the cluster from the loop that serves it."""

        async def act() -> T:
            return deed(self.imitation)

        return self._thread.run(act())

    def delete(self, *repositories: str) -> None:
        """Sign each repository and delete its trust data."""
        for name in repositories:
            self.do(lambda imitation, name=name: (imitation.sign(name), imitation.delete(name)))  # type: ignore[misc]

    def settings(self, **more: Any) -> dict[str, Any]:
        """The cluster as it is configured: `watch` says which watchers look, all others are off."""
        off = dict.fromkeys(WATCHERS, "off")
        trust = {"changefeed": {"every": "200ms", "start": "beginning"}, "trust": "200ms"}
        watch = {**off, **more.pop("watch", trust)}
        return {
            "name": "prod",
            "replicas": [f"http://127.0.0.1:{port}" for port in self._ports.values()],
            "registry_host": self.host,
            "username": "relay",
            "password": PASSWORD,
            "watch": watch,
            **more,
        }

    async def _start(self) -> None:
        for replica, port in self._ports.items():
            app = self.imitation.app(replica)
            app.middlewares.append(self._note)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            await web.SockSite(runner, listen(port)).start()
            self._runners.append(runner)

    async def _stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.add(f"{request.method} {request.path_qs}")
        return await handler(request)  # type: ignore[no-any-return]
