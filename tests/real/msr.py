"""An MSR over TLS whose notary is real.

Tokens are real JWTs; `/v2/` goes to the notary server and comes back with its true status, headers and body.
Health documents are what the test sets. It runs in a thread, for relays in this process and in others.
"""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tests.real.inbox import Inbox
from tests.real.loops import PATIENCE, LoopThread, Site
from tests.real.notary import Notary, NotaryClient
from tests.real.pki import Pki
from tests.real.postgres import Postgres
from tests.real.tokens import Issuer, User

NGINX_STATUS = """Active connections: 291
server accepts handled requests
 16630948 16630948 31070465
Reading: 6 Writing: 179 Waiting: 106
"""
BAD_GATEWAY = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"  # noqa: E501
# Those that concern one connection only, and those that aiohttp sets itself.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te", "trailer"}

Interruption = Callable[[web.Request], web.StreamResponse | None]


class Replica:
    """One replica's own URL and documents; every replica reaches the same notary."""

    def __init__(self, msr: "Msr", thread: LoopThread, pki: Pki) -> None:
        self._msr = msr
        self.ping: tuple[int, dict[str, Any]] = (200, {"Error": "", "Healthy": True})
        self.nginx_status: tuple[int, str] = (200, NGINX_STATUS)
        self.cluster_status: dict[str, Any] = {}
        self.requests: Inbox[str] = Inbox()
        """Each as `GET /path?query`."""
        self.interrupt: Interruption | None = None
        """A fault: gives the answer in place of the true one, or None to let the request pass."""
        self._site = Site(thread, self._answer, pki.server_context())

    @property
    def url(self) -> str:
        return self._site.url

    def break_down(self, part: str) -> None:
        """From now on this replica says that the part (metadata, storage, …) is unhealthy."""
        self.ping = (503, {"Error": part, "Healthy": False})

    def recover(self) -> None:
        self.ping = (200, {"Error": "", "Healthy": True})

    def stop(self) -> None:
        """Connections are refused until `start`, which comes back under the same URL."""
        self._site.stop()

    def start(self) -> None:
        self._site.start()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.add(f"{request.method} {request.path_qs}")
        if self.interrupt and (fault := self.interrupt(request)):
            return fault
        if request.path.startswith("/v2/") or request.path == "/v2":
            return await self._msr.to_notary(request)
        match request.path:
            case "/_ping" | "/health":
                return _json(*self.ping)
            case "/nginx_status":
                status, text = self.nginx_status
                return web.Response(status=status, text=text)
            case "/auth/token":
                return self._msr.token(request)
            case "/api/v0/meta/cluster_status":
                return self._status(request)
        return _json(404, _error("NOT_FOUND", "no such page"))

    def _status(self, request: web.Request) -> web.Response:
        user = self._msr.user(request)
        if user is None:
            return _json(401, _error("NOT_AUTHENTICATED", "The client is not authenticated."))
        if not user.admin:
            return _json(403, _error("NOT_AUTHORIZED", "The client is not authorized."))
        return _json(200, self.cluster_status)


class Msr:
    """A cluster of replicas before one real notary, with an administrator's `notary` client."""

    admin = User("admin", "admin's password", admin=True)

    def __init__(
        self,
        thread: LoopThread,
        pki: Pki,
        postgres: Postgres,
        issuer: Issuer,
        folder: Path,
        replicas: int = 1,
    ) -> None:
        self._thread, self._issuer, self._folder = thread, issuer, folder
        self._session = thread.run(_session())
        self.pki = pki
        self.users = {self.admin.name: self.admin}
        self.public: set[str] = set()
        """GUNs that anybody may read, even without a password."""
        self.token_lifetime = 300
        """Seconds. Notary takes a token for 60 s longer than it says."""
        self.replicas = [Replica(self, thread, pki) for _ in range(replicas)]
        self.notary = Notary(postgres, issuer, f"{self.url}/auth/token", folder)
        self.client = self.client_for(self.admin)

    @property
    def url(self) -> str:
        return self.replicas[0].url

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`, the first part of its GUNs."""
        return self.url.removeprefix("https://")

    def gun(self, repository: str) -> str:
        return f"{self.host}/{repository}"

    def add_user(self, name: str, password: str, *repositories: str) -> User:
        """Somebody without special rights, who may read these repositories (`namespace/name`)."""
        self.users[name] = User(name, password, repositories=frozenset(map(self.gun, repositories)))
        return self.users[name]

    def client_for(self, user: User) -> NotaryClient:
        folder = self._folder / f"client-{user.name}"
        folder.mkdir()
        return NotaryClient(self.url, self.pki.ca_file, user.name, user.password, folder)

    def sign(self, repository: str, tag: str = "latest", content: bytes = b"manifest") -> None:
        """Signs for real, as the administrator; the first time writes two records, of versions 1 and 2."""
        self.client.sign(self.gun(repository), tag, content)

    def delete(self, repository: str) -> None:
        """Deletes the repository's trust data for real."""
        self.client.delete(self.gun(repository))

    def close(self) -> None:
        for replica in self.replicas:
            replica.stop()
        self._thread.run(self._session.close())
        self.notary.stop()

    def user(self, request: web.Request) -> User | None:
        """Who asks, by HTTP basic authentication; None if the name or the password is wrong."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        user = self.users.get(name)
        return user if user and user.password == password else None

    def token(self, request: web.Request) -> web.Response:
        """A token for everybody, even without access, but those who get the password wrong."""
        user = self.user(request) if "Authorization" in request.headers else User("", "")
        if user is None:
            return _json(401, _error("UNAUTHORIZED", "authentication required"))
        token = self._issuer.token(user, request.query.getall("scope", []), self.token_lifetime, self.public)
        issued = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _json(
            200,
            {"token": token, "access_token": token, "expires_in": self.token_lifetime, "issued_at": issued},
        )

    async def to_notary(self, request: web.Request) -> web.Response:
        headers = CIMultiDict((k, v) for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP)
        try:
            async with self._session.request(
                request.method,
                # As it came: an escape in it may mean something to notary.
                URL(f"{self.notary.url}{request.raw_path}", encoded=True),
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
            ) as answer:
                kept = CIMultiDict((k, v) for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP)
                return web.Response(status=answer.status, headers=kept, body=await answer.read())
        except aiohttp.ClientError:
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=PATIENCE))


def _error(code: str, message: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message}]}


def _json(status: int, document: dict[str, Any]) -> web.Response:
    return web.Response(status=status, text=json.dumps(document), content_type="application/json")
