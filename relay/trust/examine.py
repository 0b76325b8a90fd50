"""Examining a repository's trust data: fetched by hash, verified, and made compact.

By hash only: asked for a plain timestamp or snapshot, the server may sign anew and write a record; asked by
hash it never does (notary, server/handlers and server/timestamp).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol

from relay.trust import document as read
from relay.trust.document import Document, FileMeta
from relay.trust.errors import GoneError, InvalidError
from relay.trust.signatures import enough, signers
from relay.trust.state import Keys, State, Tag

SMALL: Final = 64 * 1024
"""Bytes that a timestamp may have; a real one has half a kilobyte."""
MEDIUM: Final = 1024 * 1024
"""Bytes that a snapshot or a root may have."""
LARGE: Final = 8 * 1024 * 1024
"""Bytes that targets may have: some 40,000 tags."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""Bytes that one examination may read."""
MOST_ROOTS: Final = 10
"""So many roots between the known one and the new one are looked at."""


class Source(Protocol):
    """Where the files come from. Both methods raise GoneError for what is not there, and what else fails."""

    async def file(self, role: str, digest: str, most: int) -> bytes:
        """Return the file of a role that has a SHA-256 (hex); at most so many bytes."""

    async def root(self, version: int, most: int) -> bytes:
        """Return the root of a version; at most so many bytes."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What an examination found.

    ``root_signed_by_old`` tells whether the keys of the former root vouch for this one; None if the root is
    the same, or none was known. ``renewed`` are the roles whose metadata somebody signed anew: root, targets
    and delegations. ``resigned`` tells that nothing of that changed: the server renewed what it keeps itself.
    """

    state: State
    root_signed_by_old: bool | None = None
    renewed: tuple[str, ...] = ()
    resigned: bool = False
    requests: int = 0


async def examine(source: Source, digest: str, before: State | None) -> Examined:
    """Examine the trust data whose timestamp has a SHA-256 (hex), which is what notary's record says.

    What ``before`` holds already is not fetched again. Raises InvalidError if it does not verify, GoneError if
    a part of it is not there, and what the source raises.
    """
    return await _Examination(source, before).run(digest)


@dataclass(slots=True)
class _Draft:
    versions: dict[str, int] = field(default_factory=dict)
    expires: dict[str, datetime] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    tags: dict[str, Mapping[str, Tag]] = field(default_factory=dict)
    roles: dict[str, Keys] = field(default_factory=dict)
    public_keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    signers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unsigned: list[str] = field(default_factory=list)


class _Examination:
    def __init__(self, source: Source, before: State | None) -> None:
        self._source = source
        self._before = before
        self._made = _Draft()
        self._bytes = 0
        self._requests = 0

    async def run(self, digest: str) -> Examined:
        timestamp = await self._fetch("timestamp", FileMeta(digest, SMALL), SMALL)
        about_snapshot = read.meta(timestamp, "snapshot")
        snapshot = await self._fetch("snapshot", about_snapshot, MEDIUM)
        listed = read.metas(snapshot)
        vouched = await self._root(read.meta(snapshot, "root"))
        self._must_be_signed(timestamp, digest)
        self._must_be_signed(snapshot, about_snapshot.sha256)
        await self._targets(listed)
        made = self._made
        state = State(
            digest,
            made.versions,
            made.expires,
            made.hashes,
            made.tags,
            made.roles,
            made.public_keys,
            made.signers,
            tuple(made.unsigned),
        )
        renewed = tuple(self._renewed(state))
        return Examined(state, vouched, renewed, self._before is not None and not renewed, self._requests)

    def _renewed(self, state: State) -> Iterator[str]:
        before = {} if self._before is None else self._before.hashes
        for role, found in state.hashes.items():
            if role not in ("timestamp", "snapshot") and before.get(role) != found:
                yield role

    async def _fetch(self, role: str, about: FileMeta, most: int) -> Document:
        if about.length > most:
            raise InvalidError(role, f"it is said to have {about.length} bytes; at most {most} are read")
        self._requests += 1
        raw = await self._source.file(role, about.sha256, about.length)
        self._count(role, raw)
        if sha256(raw).hexdigest() != about.sha256:
            raise InvalidError(role, "it is not the file that its hash names")
        return read.read(role, raw)

    def _count(self, role: str, raw: bytes) -> None:
        self._bytes += len(raw)
        if self._bytes > MOST_BYTES:
            raise InvalidError(role, f"all files together have more than {MOST_BYTES} bytes")

    async def _root(self, about: FileMeta) -> bool | None:
        """Take the root; tell whether the former one vouches for it."""
        made, before = self._made, self._before
        if before is not None and before.hashes.get("root") == about.sha256:
            for name in ("root", "targets", "snapshot", "timestamp"):
                made.roles[name] = before.roles[name]
                made.public_keys |= self._keys_of(before.roles[name], before)
            self._keep("root")
            return None
        root = await self._fetch("root", about, MEDIUM)
        roles, keys = read.root_roles(root)
        made.roles |= roles
        made.public_keys |= keys
        self._must_be_signed(root, about.sha256)
        return None if before is None else await self._vouched(before, root)

    async def _vouched(self, before: State, root: Document) -> bool:
        """Tell whether a chain of roots leads from the former one to this one, each signed by the one before."""
        role, keys = before.roles["root"], before.public_keys
        if enough(signers(root, role, keys), role):
            return True
        between = range(before.versions["root"] + 1, root.version)
        if not 0 < len(between) <= MOST_ROOTS:
            return False
        for version in between:
            try:
                self._requests += 1
                raw = await self._source.root(version, MEDIUM)
                self._count("root", raw)
                link = read.read("root", raw)
                roles, public = read.root_roles(link)
            except (GoneError, InvalidError):
                return False
            own = roles["root"]
            if not (enough(signers(link, role, keys), role) and enough(signers(link, own, public), own)):
                return False
            role, keys = own, public
        return enough(signers(root, role, keys), role)

    async def _targets(self, listed: Mapping[str, FileMeta]) -> None:
        queue = ["targets"]
        while queue:
            role = queue.pop(0)
            about = listed.get(role)
            if about is None:
                if role == "targets":
                    raise InvalidError("snapshot", "it does not name targets")
                # A delegation for which nobody has signed yet.
                continue
            queue += await self._signed_tags(role, about)

    async def _signed_tags(self, role: str, about: FileMeta) -> list[str]:
        """Take the tags of targets or of a delegation; return the delegations below it."""
        made, before = self._made, self._before
        keys = made.roles[role]
        same = (
            before is not None and before.hashes.get(role) == about.sha256 and before.roles.get(role) == keys
        )
        if before is not None and same and role not in before.unsigned:
            self._keep(role)
            made.tags[role] = before.tags[role]
            below = {name: each for name, each in before.roles.items() if name.rpartition("/")[0] == role}
            for each in below.values():
                made.public_keys |= self._keys_of(each, before)
        else:
            document = await self._fetch(role, about, LARGE)
            good = signers(document, keys, made.public_keys)
            if not enough(good, keys):
                if role == "targets":
                    raise InvalidError(role, _unsigned(good, keys))
                made.unsigned.append(role)
                made.hashes[role] = about.sha256
                return []
            self._take(document, about.sha256, good)
            allowed = read.tags(document).items()
            made.tags[role] = {name: tag for name, tag in allowed if name.startswith(keys.paths)}
            below, public = read.delegations(document)
            made.public_keys |= public
        made.roles |= below
        if len(made.roles) > read.MOST_ROLES:
            raise InvalidError(role, f"more than {read.MOST_ROLES} delegations")
        return list(below)

    def _must_be_signed(self, document: Document, digest: str) -> None:
        keys = self._made.roles[document.role]
        good = signers(document, keys, self._made.public_keys)
        if not enough(good, keys):
            raise InvalidError(document.role, _unsigned(good, keys))
        self._take(document, digest, good)

    def _take(self, document: Document, digest: str, good: tuple[str, ...]) -> None:
        made, role = self._made, document.role
        made.versions[role] = document.version
        made.expires[role] = document.expires
        made.hashes[role] = digest
        made.signers[role] = good

    def _keep(self, role: str) -> None:
        made, before = self._made, self._before
        assert before is not None
        made.versions[role] = before.versions[role]
        made.expires[role] = before.expires[role]
        made.hashes[role] = before.hashes[role]
        made.signers[role] = before.signers[role]

    def _keys_of(self, role: Keys, before: State) -> dict[str, tuple[str, str]]:
        return {id: before.public_keys[id] for id in role.keys if id in before.public_keys}


def _unsigned(good: tuple[str, ...], keys: Keys) -> str:
    return f"{len(good)} of its {len(keys.keys)} keys signed it; {keys.threshold} must"
