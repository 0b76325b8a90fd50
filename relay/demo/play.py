"""The demonstration: a simulated cluster, the real relay watching it, and everybody who is told."""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from relay.app.app import App
from relay.demo import configuration, summary
from relay.demo.cluster import REPLICAS, Cluster, Pki, cluster
from relay.demo.ledger import Ledger, Received
from relay.demo.receivers import Screen, hook, mailbox
from relay.demo.scenario import scenes
from relay.demo.stage import Stage
from relay.model.clock import Clock
from relay.model.errors import RelayError

_PATIENCE = 20.0
"""How many seconds a scene waits for its messages before it counts them as lost."""
_QUIET = 1.5
"""For how many seconds after the last scene messages that nobody expects may still come."""


@dataclass(frozen=True, slots=True)
class Options:
    """How it is played: ``pace`` 2 is twice as fast; ``keep`` goes on until Ctrl-C."""

    pace: float = 1.0
    keep: bool = False


class Play:
    """One demonstration in a folder of its own."""

    def __init__(
        self, options: Options, console: Console, folder: Path, clock: Clock, source: random.Random
    ) -> None:
        self._options = options
        self._folder = folder
        self._clock = clock
        self._random = source
        self._began = clock.monotonic()
        self.seconds = 0.0
        self.ledger = Ledger(clock)
        self.stage = Stage(console, lambda: clock.monotonic() - self._began)
        self.is_over = False

    async def run(self) -> None:
        """Play until the end; cancelling it stops everything in order. Raises what the relay raises."""
        async with AsyncExitStack() as stack:
            pki = await asyncio.to_thread(Pki.make, self._folder)
            msr = await stack.enter_async_context(cluster(pki, self._clock, self._random))
            webhooks = await stack.enter_async_context(hook(self._clock, self._random, self._show))
            mail_port = await stack.enter_async_context(mailbox(pki, self._clock, self._show))
            path = configuration.write(self._folder, msr, pki, webhooks, mail_port)
            screen = Screen(self._clock, self._show)
            load = partial(configuration.load, path, screen)
            app = App(load(), load, clock=self._clock, source=self._random)
            relay = asyncio.create_task(app.run(), name="relay")
            stack.push_async_callback(_stop, app, relay)
            self._introduce(msr, path)
            await _unless_ended(relay, app.ready.wait())
            self.stage.say(f"[green]you[/]          see it all at http://127.0.0.1:{app.port}/ meanwhile")
            await _unless_ended(relay, self._act(msr))
            await _unless_ended(relay, self._end(app, path))

    def _show(self, message: Received, text: Text) -> None:
        self.ledger.take(message)
        self.stage.show(message.channel, text)

    async def _act(self, msr: Cluster) -> None:
        # The first looks, by which the relay learns what is there already.
        await self._clock.sleep(2.0)
        for scene in scenes(msr):
            await self._clock.sleep(scene.pause / self._options.pace)
            self.stage.direct(scene.what, scene.remark)
            step = self.ledger.expect(scene.what, scene.due)
            scene.act()
            await self.ledger.settled(step, _PATIENCE)
        await self._clock.sleep(_QUIET)

    async def _end(self, app: App, path: Path) -> None:
        self.seconds = self._clock.monotonic() - self._began
        summary.write(self.stage, self.ledger, self.seconds)
        summary.next_steps(self.stage)
        self.is_over = True
        if self._options.keep:
            self.stage.say(
                "",
                "The cluster and the relay go on until Ctrl-C. From another terminal:",
                f"  msr-relay events --config {path}",
                f"or in a browser: http://127.0.0.1:{app.port}/",
            )
            await asyncio.Event().wait()

    def _introduce(self, msr: Cluster, path: Path) -> None:
        where = " ".join(f":{replica.rpartition(':')[2]}" for replica in msr.replicas)
        self.stage.say(
            "[bold]MSR Relay[/] tells people and machines what happens in Mirantis Secure Registry.",
            "In this process runs a simulated MSR cluster; a real relay watches it and reports to three "
            "receivers. Everything is on this machine and gone at the end. Ctrl-C stops it.",
            "",
            f"[yellow]MSR[/]          {len(REPLICAS)} replicas over TLS, at 127.0.0.1 {where}",
            "[cyan]terminal[/]     gets everything, here",
            "[magenta]soc[/]          gets everything, by webhook; it verifies the signatures",
            "[blue]oncall[/]       gets what is critical, by mail",
            f"[dim]Configured by {path}",
        )


async def _unless_ended(relay: "asyncio.Task[None]", what: Coroutine[Any, Any, object]) -> None:
    """Wait for something as long as the relay runs; its error is raised here."""
    doing = asyncio.create_task(what)
    try:
        await asyncio.wait({relay, doing}, return_when=asyncio.FIRST_COMPLETED)
        if relay.done():
            await relay
            raise RelayError("the relay has stopped by itself")
        await doing
    finally:
        doing.cancel()
        await asyncio.wait({doing})


async def _stop(app: App, relay: "asyncio.Task[None]") -> None:
    app.stopping.set()
    await asyncio.wait({relay})
    if not relay.cancelled():
        relay.exception()
