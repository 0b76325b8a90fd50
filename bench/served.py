"""Many MSRs in one process of their own: what a quiet cluster answers, as cheaply as that can be had.

Every replica is a port of its own. What comes is noted with its time, so that the asker's punctuality is seen
from the outside.
"""

import asyncio
import json
import multiprocessing
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

PATHS = ("/_ping", "/nginx_status", "/api/v0/meta/cluster_status", "/v2/_trust/changefeed", "/auth/token")
"""What is asked for, in the order in which it is counted."""
_NGINX = (
    "Active connections: 1 \nserver accepts handled requests\n 7 7 7 \nReading: 0 Writing: 1 Waiting: 0 \n"
)
_RECORD = {
    "ID": "1",
    "CreatedAt": "2026-01-01T00:00:00Z",
    "GUN": "msr.example.com/prod/app",
    "Version": 0,
    "SHA256": "",
    "Category": "deletion",
}


class Served:
    """The served MSRs as others see them; the replicas of a cluster come one after the other."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.ports: list[int] = pipe.recv()

    def asked(self) -> list[list[tuple[float, int]]]:
        """Return, for each replica, what it was asked since ``forget``: when (seconds,
        ``time.perf_counter``), and the number of the path."""
        found: list[list[tuple[float, int]]] = self._ask("asked")
        return found

    def connections(self) -> int:
        """Return how many connections were made since ``forget``."""
        found: int = self._ask("connections")
        return found

    def forget(self) -> None:
        """Begin to count anew."""
        self._ask("forget")

    def _ask(self, what: str) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()


@contextmanager
def served(clusters: int, replicas: int, certificates: Sequence[tuple[Path, Path]] = ()) -> Iterator[Served]:
    """Serve so many MSRs, over TLS if there are ``certificates`` (with key), which go round the clusters."""
    here, there = multiprocessing.Pipe()
    spawning = multiprocessing.get_context("fork")
    process = spawning.Process(target=_serve, args=(there, clusters, replicas, certificates), daemon=True)
    process.start()
    try:
        yield Served(here)
    finally:
        process.terminate()
        process.join(10)


def _serve(pipe: Connection, clusters: int, replicas: int, certificates: Sequence[tuple[Path, Path]]) -> None:
    asyncio.run(_Server(pipe, clusters, replicas, certificates).run())


class _Server:
    def __init__(
        self, pipe: Connection, clusters: int, replicas: int, certificates: Sequence[tuple[Path, Path]]
    ) -> None:
        self._pipe = pipe
        self._clusters = clusters
        self._replicas = replicas
        self._contexts = [_context(*each) for each in certificates]
        self.connections = 0
        self.asked: list[list[tuple[float, int]]] = [[] for _ in range(clusters * replicas)]

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        ports: list[int] = []
        for number in range(self._clusters * self._replicas):
            cluster = number // self._replicas
            context = self._contexts[cluster % len(self._contexts)] if self._contexts else None
            server = await loop.create_server(
                lambda number=number: _Answering(self, number),  # type: ignore[misc]
                "127.0.0.1",
                0,
                ssl=context,
            )
            ports.append(server.sockets[0].getsockname()[1])
        loop.add_reader(self._pipe.fileno(), self._answer)
        self._pipe.send(ports)
        await asyncio.Event().wait()

    def _answer(self) -> None:
        what = self._pipe.recv()
        if what == "asked":
            self._pipe.send(self.asked)
        elif what == "connections":
            self._pipe.send(self.connections)
        else:
            self.connections = 0
            for each in self.asked:
                each.clear()
            self._pipe.send(None)

    def take(self, replica: int, target: str) -> bytes:
        """Note a request for a path with its query; return the answer's body."""
        path, _, query = target.partition("?")
        number = PATHS.index(path)
        self.asked[replica].append((time.perf_counter(), number))
        if number == 0:
            return b'{"Error":"","Healthy":true}'
        if number == 1:
            return _NGINX.encode()
        if number == 2:
            return self._status()
        if number == 3:
            # The feed holds one record.
            records = [] if "change_id=1&" in query else [_RECORD]
            return json.dumps({"count": len(records), "records": records}).encode()
        return b'{"token":"0123456789abcdef","expires_in":300}'

    def _status(self) -> bytes:
        names, now = [f"r{number}" for number in range(self._replicas)], datetime.now(UTC).isoformat()
        return json.dumps(
            {
                "rethink_system_tables": {"current_issues": []},
                "replica_health": dict.fromkeys(names, "OK"),
                "replica_timestamp": dict.fromkeys(names, now),
                "replica_readonly": dict.fromkeys(names, False),
                "gc_lock_holder": "",
            }
        ).encode()


class _Answering(asyncio.Protocol):
    """One connection of one replica. Only what has no body is asked, and one thing at a time."""

    def __init__(self, server: _Server, replica: int) -> None:
        self._server = server
        self._replica = replica
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._server.connections += 1

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, self._read = self._read.split(b"\r\n\r\n", 1)
            target = head.split(b" ", 2)[1].decode()
            body = self._server.take(self._replica, target)
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            self._transport.write(answer % (len(body), body))


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
