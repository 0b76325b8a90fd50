"""The simulated cluster on the network: three replicas, each with a port of its own, over TLS."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import trustme
from aiohttp import web

from relay.demo.feed import RethinkDb
from relay.demo.imitation import Imitation, User
from relay.model.clock import Clock

NAME = "demo"
HOST = "127.0.0.1"
REGISTRY = "msr.example.com"
USER = "relay"
REPLICAS = ("1a4f0d6be2c8", "72c9b8d01f3e", "c05e93a7d414")
BLACKOUT = timedelta(seconds=1)
"""For how long the feed keeps a record back; a real MSR does so for sixty seconds."""


@dataclass(frozen=True, slots=True)
class Pki:
    """An authority made for one demonstration, as a file, and the server side of its TLS."""

    ca_file: Path
    context: ssl.SSLContext

    @classmethod
    def make(cls, folder: Path) -> "Pki":
        """Make one, with a certificate for this machine's loopback address."""
        authority = trustme.CA(organization_name="MSR Relay demo")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "localhost").configure_cert(context)
        ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        return cls(ca_file, context)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The running cluster. ``replicas`` are host:port, in the order of ``REPLICAS``."""

    imitation: Imitation
    replicas: tuple[str, ...]
    password: str


@asynccontextmanager
async def cluster(pki: Pki, clock: Clock, random: Random) -> AsyncIterator[Cluster]:
    """Serve a cluster until the end of the block."""
    password = f"{random.getrandbits(128):032x}"
    imitation = Imitation(
        REGISTRY,
        REPLICAS,
        users=[User(USER, password, admin=True)],
        back_end=RethinkDb(random, BLACKOUT),
        clock=clock,
        random=random,
    )
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(serving(imitation.app(id), pki.context)) for id in REPLICAS]
        yield Cluster(imitation, tuple(f"{HOST}:{port}" for port in ports), password)


@asynccontextmanager
async def serving(app: web.Application, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve an application on a free loopback port, and give that port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        free = free_socket()
        await web.SockSite(runner, free, ssl_context=context).start()
        yield int(free.getsockname()[1])
    finally:
        await runner.cleanup()


def free_socket() -> socket.socket:
    """Return a socket that is bound to a free loopback port."""
    free = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    free.bind((HOST, 0))
    return free
