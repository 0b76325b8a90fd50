"""A feed to catch up on: a real notary server on a real PostgreSQL, and before it what MSR has there.

The front issues tokens, says that the replica is well, and passes everything else on to notary byte by byte.
"""

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from tests.real.notary import Notary, make_template
from tests.real.postgres import Postgres
from tests.real.tokens import Issuer, User

HOST = "msr.example.com"
PAGE = 1000
"""Records on a page: what the relay asks for by default."""

_ADMIN = User("admin", "password", admin=True)


class Feed:
    """A changefeed that can be filled; ``url`` is where it is read as if from MSR."""

    def __init__(self, notary: Notary, front: Connection, port: int) -> None:
        self._notary = notary
        self._front = front
        self.url = f"http://127.0.0.1:{port}"

    def fill(self, records: int, repositories: int, deletions: str, days: float) -> None:
        """Let it have so many records of so many repositories, spread over days that ended an hour ago.

        ``deletions`` is a condition in SQL: which of the ``n`` records are deletions.
        """
        self._notary.rebuild_feed()
        self._notary.sql(
            f"""INSERT INTO changefeed (created_at, gun, version, sha256, category)
            SELECT (now() at time zone 'utc') - interval '1 hour'
                     - interval '1 day' * %s * (1 - n::float / %s),
                   '{HOST}/team' || (n * 7919 %% %s) %% 100 || '/app' || n * 7919 %% %s,
                   CASE WHEN {deletions} THEN 0 ELSE n %% 1000 + 1 END,
                   CASE WHEN {deletions} THEN '' ELSE md5(n::text) || md5((-n)::text) END,
                   CASE WHEN {deletions} THEN 'deletion' ELSE 'update' END
            FROM generate_series(1, %s::bigint) AS n""",
            days,
            records,
            repositories,
            repositories,
            records,
        )
        self._notary.sql("ANALYZE changefeed")

    def cluster(self, start: object = "beginning") -> dict[str, object]:
        """Return it as a cluster of a relay's settings, read at once and from ``start`` on."""
        off = dict.fromkeys(("nginx_status", "cluster_status"), "off")
        return {
            "name": "prod",
            "url": self.url,
            "registry_host": HOST,
            "username": _ADMIN.name,
            "password": _ADMIN.password,
            "watch": {"changefeed": {"every": "1s", "start": start, "page": PAGE}, **off},
        }

    def token(self) -> str:
        """Return a token that lets read all of it."""
        self._front.send("token")
        return str(self._front.recv())

    def first_asked(self) -> float:
        """Return when the first page was asked for since this was last asked (``time.perf_counter``)."""
        self._front.send("first")
        return float(self._front.recv())


@contextmanager
def feed() -> Iterator[Feed]:
    """Run one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = Postgres()
        stack.callback(postgres.close)
        make_template(postgres)
        issuer = Issuer(folder)
        notary = Notary(postgres, issuer, "http://127.0.0.1/auth/token", folder)
        stack.callback(notary.stop)
        here, there = multiprocessing.Pipe()
        front = multiprocessing.get_context("fork").Process(
            target=_serve, args=(notary.port, issuer, there), daemon=True
        )
        front.start()
        stack.callback(front.terminate)
        yield Feed(notary, here, here.recv())


def _serve(notary: int, issuer: Issuer, pipe: Connection) -> None:
    asyncio.run(_Front(notary, issuer, pipe).run())


class _Front:
    def __init__(self, notary: int, issuer: Issuer, pipe: Connection) -> None:
        self._notary, self._issuer, self._pipe = notary, issuer, pipe
        self._first = 0.0

    async def run(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._tell)
        self._pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    def _tell(self) -> None:
        if self._pipe.recv() == "token":
            self._pipe.send(self._token(["registry:catalog:*"]))
        else:
            self._pipe.send(self._first)
            self._first = 0.0

    def _token(self, scopes: list[str]) -> str:
        return self._issuer.token(_ADMIN, scopes, 3600)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", self._notary)
        back = asyncio.create_task(_pass_on(behind, writer))
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1]
                if path.startswith((b"/auth/token", b"/_ping")):
                    writer.write(self._own(path.decode()))
                    continue
                if f"records={PAGE}".encode() in path:
                    self._first = self._first or time.perf_counter()
                ahead.write(head)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            ahead.close()
            writer.close()

    def _own(self, path: str) -> bytes:
        document: dict[str, object] = {"Error": "", "Healthy": True}
        if path.startswith("/auth/token"):
            scopes = [each for each in _query(path) if each]
            document = {"token": self._token(scopes), "expires_in": 3600}
        body = json.dumps(document).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


def _query(path: str) -> list[str]:
    from urllib.parse import parse_qs, urlsplit

    return parse_qs(urlsplit(path).query).get("scope", [])


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 18):
        writer.write(chunk)
        await writer.drain()
