"""The client itself: sessions, bounds, one try."""

import asyncio
from collections.abc import Hashable, Mapping
from functools import lru_cache
from ipaddress import ip_address

import aiohttp
from yarl import URL

import relay
from relay.http.answer import Answer
from relay.http.errors import Dropped, HttpError, Reason, blocked_text, explain
from relay.http.guard import guarded_socket, is_private
from relay.http.redact import origin
from relay.http.route import Route
from relay.http.tls import Contexts
from relay.model.clock import Clock

_PER_HOST = 64
# Node.js closes idle connections after 5 s, the shortest default in use: below that, a POST hardly ever
# meets a connection that its server is just closing. An idle TLS connection also holds 256 KiB.
_KEEP_ALIVE = 4.0
_LINE_BYTES = 8190
_HEADERS = 100
_HEADERS_SENT = {"User-Agent": f"msr-relay/{relay.__version__}", "Accept-Encoding": "identity"}
_SENT_ONCE = frozenset({"POST", "PATCH"})
"""What aiohttp never sends a second time by itself: all but these is idempotent (RFC 9110, 9.2.2)."""
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


class Http:
    """Makes requests. One for the whole process; to be made within a running event loop, and closed.

    It never follows a redirect (the 3xx is the answer), never sends a request a second time, keeps no
    cookies, asks for no compression, and reads no proxy from the environment.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._contexts = Contexts(clock)
        self._sessions: dict[Hashable, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def send(
        self,
        method: str,
        url: str,
        *,
        route: Route,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float,
        max_bytes: int = 65536,
        whole: bool = False,
        pool: Hashable = None,
        keep: float = _KEEP_ALIVE,
    ) -> Answer:
        """Send one request once and read its answer; any status is an answer.

        `timeout` (seconds) bounds it all, from name resolution to the last byte. An answer longer than
        `max_bytes` is cut and its connection closed; with `whole` it is an error instead. Requests of
        different pools share no connections: each pool has up to 64 to a host. `keep` is for how many seconds
        an idle connection waits for the next request of its pool, at the least. Raises HttpError.

        Through a proxy the guard sees addresses only, for names are resolved by the proxy.
        """
        target = _target(url)
        started = self._clock.monotonic()
        try:
            context = self._contexts.of(route)
            proxy = _proxy(route, target)
            async with (
                asyncio.timeout(timeout),
                self._session(route, pool, keep).request(
                    method,
                    target,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    middlewares=() if method in _SENT_ONCE else (_once,),
                    ssl=context,
                    proxy=proxy,
                ) as response,
            ):
                content, cut = await _read(response, max_bytes)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = explain(error, origin(url), timeout)
        else:
            answer = Answer(
                response.status, response.headers, content, cut, self._clock.monotonic() - started
            )
            return _whole(answer, url, max_bytes) if whole else answer
        # Raised out here so that the cause, whose text holds the whole URL, is not its context.
        raise failure

    def _session(self, route: Route, pool: Hashable, keep: float) -> aiohttp.ClientSession:
        guard = not route.allow_private and route.proxy is None
        session = self._sessions.get((pool, guard, keep))
        if session is None:
            session = self._sessions[pool, guard, keep] = _new_session(guard, keep)
        return session


def _new_session(guard: bool, keep: float) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,
        limit_per_host=_PER_HOST,
        keepalive_timeout=keep,
        socket_factory=guarded_socket if guard else None,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS_SENT,
        auto_decompress=False,
        timeout=_NO_TIMEOUT,
        max_line_size=_LINE_BYTES,
        max_field_size=_LINE_BYTES,
        max_headers=_HEADERS,
    )


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp sends GET, PUT, DELETE and their like a second time when the connection breaks before the
    # answer. Hiding the error's type from it is the only public way to have none of that.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Dropped from error


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> tuple[bytes, bool]:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > max_bytes:
            # What has not been read to its end is closed on release.
            return bytes(content[:max_bytes]), True
    return bytes(content), False


def _whole(answer: Answer, url: str, max_bytes: int) -> Answer:
    if answer.cut:
        text = f"the answer is longer than {max_bytes} bytes: check that this is the right server"
        raise HttpError(Reason.TOO_LARGE, f"{origin(url)}: {text}")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        text = (
            "the answer is compressed although that was not asked for: turn that off in the server or proxy"
        )
        raise HttpError(Reason.INVALID, f"{origin(url)}: {text}")
    return answer


@lru_cache(maxsize=1024)
def _target(url: str) -> URL:
    try:
        target = URL(url)
        usable = target.scheme in {"http", "https"} and bool(target.host) and target.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise HttpError(
            Reason.INVALID, f"{origin(url)}: not of the form http(s)://host[:port]/…: correct the URL"
        )
    return target


def _proxy(route: Route, target: URL) -> URL | None:
    if route.proxy is None:
        return None
    if not route.allow_private and _is_private_literal(target.host or ""):
        raise HttpError(Reason.BLOCKED, f"{origin(str(target))}: {blocked_text()}")
    try:
        proxy = URL(route.proxy.get_secret_value())
        usable = proxy.scheme in {"http", "https"} and bool(proxy.host)
    except ValueError:
        usable = False
    if not usable:
        raise HttpError(Reason.PROXY, "the proxy's URL is not of the form http://[user:password@]host:port")
    return proxy


def _is_private_literal(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return is_private(host)
