"""Metadata files as a server has them, and how to get at a real server's."""

from dataclasses import dataclass, field
from hashlib import sha256

from relay.trust import Examined, GoneError, State, examine
from tests.real.msr import Msr


@dataclass
class Stored:
    """A source that has its files at hand and notes what it is asked for."""

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """By role and SHA-256."""
    roots: dict[int, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    bytes_asked: int = 0

    def add(self, role: str, raw: bytes) -> str:
        digest = sha256(raw).hexdigest()
        self.files[role, digest] = raw
        return digest

    async def file(self, role: str, digest: str, most: int) -> bytes:
        self.asked.append(role)
        self.bytes_asked += most
        if (role, digest) not in self.files:
            raise GoneError(role)
        return self.files[role, digest]

    async def root(self, version: int, most: int) -> bytes:
        self.asked.append(f"{version}.root")
        self.bytes_asked += most
        if version not in self.roots:
            raise GoneError("root")
        return self.roots[version]


def stored(msr: Msr, gun: str) -> Stored:
    """Everything that the real server has of a repository."""
    found = Stored()
    rows = msr.notary.sql("SELECT role, version, data FROM tuf_files WHERE gun = %s ORDER BY id", gun)
    for role, version, data in rows:
        found.add(role, bytes(data))
        if role == "root":
            found.roots[version] = bytes(data)
    return found


def records(msr: Msr, gun: str) -> list[str]:
    """The SHA-256 of each `update` in the changefeed, oldest first."""
    found = "SELECT sha256 FROM changefeed WHERE gun = %s AND category = 'update' ORDER BY id"
    return [row[0] for row in msr.notary.sql(found, gun)]


async def newest(msr: Msr, gun: str, before: State | None = None) -> Examined:
    """What an examination of the newest record finds."""
    return await examine(stored(msr, gun), records(msr, gun)[-1], before, gun=gun)
