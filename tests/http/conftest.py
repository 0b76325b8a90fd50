"""Real servers on loopback, with TLS from an authority made for the run."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from relay.http import Http, Route
from relay.model.clock import SystemClock

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(SystemClock())
    yield client
    await client.close()


@pytest.fixture
def lan() -> Route:
    return Route(allow_private=True)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def server_context(certificate: trustme.LeafCert, clients: trustme.CA | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(context)
    return context


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Serves one handler for everything and gives its base URL."""
    async with AsyncExitStack() as stack:

        async def start(
            handler: Handler,
            tls: trustme.LeafCert | None = None,
            clients: trustme.CA | None = None,
            host: str = "127.0.0.1",
        ) -> str:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", handler)
            server = TestServer(app, scheme="https" if tls else "http")
            await server.start_server(ssl=server_context(tls, clients) if tls else None)
            stack.push_async_callback(server.close)
            return f"{'https' if tls else 'http'}://{host}:{server.port}"

        yield start


@pytest.fixture
async def converse() -> AsyncIterator[Callable[[Conversation], Awaitable[int]]]:
    """Serves bare TCP connections, for what no HTTP server would say; gives its port."""
    async with AsyncExitStack() as stack:

        async def start(conversation: Conversation) -> int:
            async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    await conversation(reader, writer)
                except (ConnectionError, asyncio.IncompleteReadError):
                    pass
                finally:
                    writer.close()

            server = await asyncio.start_server(once, "127.0.0.1", 0)
            stack.callback(server.close)
            return int(server.sockets[0].getsockname()[1])

        yield start
