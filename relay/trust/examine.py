"""Examining a repository's trust data: fetched by hash, verified, and made compact.

By hash only: asked for a plain timestamp or snapshot, the server may sign anew and write a record; asked by
hash it never does (notary, server/handlers/roles.go and server/timestamp).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from relay.trust import document as read
from relay.trust.document import Document, FileMeta
from relay.trust.errors import GoneError, InvalidError
from relay.trust.state import BASE_ROLES, Keys, State, Tag

if TYPE_CHECKING:
    from relay.trust.signatures import Checks

T = TypeVar("T")

SMALL: Final = 64 * 1024
"""Bytes that a timestamp may have; a real one has half a kilobyte."""
MEDIUM: Final = 1024 * 1024
"""Bytes that a snapshot or a root may have."""
LARGE: Final = 8 * 1024 * 1024
"""Bytes that targets may have: some 40,000 tags."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""Bytes that one examination may read."""
MOST_TAGS: Final = 50_000
"""Tags of all roles together."""
MOST_ROOTS: Final = 10
"""So many roots between the known one and the new one are looked at."""
MOST_REQUESTS: Final = read.MOST_ROLES + MOST_ROOTS
"""More than this one examination never makes: timestamp, snapshot, a file a role, the roots between."""
_LONG: Final = 256 * 1024
"""Files from this size on are read in a thread: 8 MiB take half a second, and others want the loop."""


class Source(Protocol):
    """Where the files of one repository come from. What its methods raise ends the examination."""

    async def file(self, role: str, digest: str, most: int) -> bytes:
        """Return the file of a role that has a SHA-256 (hex). Raises GoneError if there is none.

        Raises InvalidError if it has more bytes than `most`.
        """

    async def root(self, version: int, most: int) -> bytes:
        """Return the root of a version. Raises the same."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What an examination found.

    ``root_signed_by_old`` tells whether the keys of the former root vouch for this one, directly or by the
    roots between; None if the root is the same, or none was known. It is False also where that cannot be
    shown: a root between is missing or wrong, or there are more than ``MOST_ROOTS``.

    ``renewed`` are the roles whose metadata is not what it was: root, targets and delegations, also those
    that are gone. ``resigned`` tells that nothing of that changed: the server renewed what it keeps itself.
    ``requests`` and ``checks`` (of signatures) are what it took.
    """

    state: State
    root_signed_by_old: bool | None = None
    renewed: tuple[str, ...] = ()
    resigned: bool = False
    requests: int = 0
    checks: int = 0


async def examine(source: Source, digest: str, before: State | None, *, gun: str | None = None) -> Examined:
    """Examine the trust data whose timestamp has a SHA-256 (hex), which is what notary's record says.

    What ``before`` holds already is not fetched again. With ``gun``, the record's, the keys of the root
    must be in certificates that are made out to it, as notary demands: else a server could show the data of
    another repository.

    Expired metadata is no error. Raises InvalidError if it does not verify, GoneError if a part of it is not
    there, and what the source raises.
    """
    # cryptography costs 8 MiB, which only those have to pay whose repositories are signed.
    from relay.trust.signatures import Checks

    return await _Examination(source, before, Checks(gun)).run(digest)


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
    certificates: dict[str, datetime] = field(default_factory=dict)


class _Examination:
    def __init__(self, source: Source, before: State | None, checks: "Checks") -> None:
        self._source = source
        self._before = before
        self._checks = checks
        self._made = _Draft()
        self._bytes = 0
        self._requests = 0
        self._tags = 0

    async def run(self, digest: str) -> Examined:
        before = self._before
        if before is not None and before.sha256 == digest:
            return Examined(before)
        if not read.is_sha256(digest):
            raise InvalidError("timestamp", "the record does not hold its SHA-256")
        timestamp = await self._fetch("timestamp", FileMeta(digest, SMALL), SMALL)
        about = read.meta(timestamp, "snapshot")
        if before is not None and before.hashes["snapshot"] == about.sha256:
            return self._same_snapshot(timestamp, digest, before)
        snapshot = await self._fetch("snapshot", about, MEDIUM)
        listed = read.metas(snapshot)
        vouched = await self._root(read.meta(snapshot, "root"))
        self._must_be_signed(timestamp, digest)
        self._must_be_signed(snapshot, about.sha256)
        await self._targets(listed)
        state = self._state(digest)
        renewed = tuple(self._renewed(state))
        resigned = before is not None and not renewed
        return Examined(state, vouched, renewed, resigned, self._requests, self._checks.made)

    def _same_snapshot(self, timestamp: Document, digest: str, before: State) -> Examined:
        self._made = _Draft(roles=dict(before.roles), public_keys=dict(before.public_keys))
        self._must_be_signed(timestamp, digest)
        made = self._made
        state = replace(
            before,
            sha256=digest,
            versions={**before.versions, **made.versions},
            expires={**before.expires, **made.expires},
            hashes={**before.hashes, **made.hashes},
            signers={**before.signers, **made.signers},
        )
        return Examined(state, resigned=True, requests=self._requests, checks=self._checks.made)

    def _state(self, digest: str) -> State:
        made = self._made
        used = {key for role in made.roles.values() for key in role.keys}
        return State(
            digest,
            made.versions,
            made.expires,
            made.hashes,
            made.tags,
            made.roles,
            {key: public for key, public in made.public_keys.items() if key in used},
            made.signers,
            tuple(made.unsigned),
            made.certificates,
        )

    def _renewed(self, state: State) -> Iterator[str]:
        before = {} if self._before is None else self._before.hashes
        for role in {**before, **state.hashes}:
            if role not in ("timestamp", "snapshot") and before.get(role) != state.hashes.get(role):
                yield role

    async def _fetch(self, role: str, about: FileMeta, most: int) -> Document:
        if about.length > most:
            raise InvalidError(role, f"it is said to have {about.length} bytes; at most {most} are read")
        self._requests += 1
        raw = await self._source.file(role, about.sha256, about.length)
        self._count(role, raw)
        if not about.is_of(raw):
            raise InvalidError(role, "it is not the file that its hash names")
        return await _aside(len(raw), lambda: read.read(role, raw))

    def _count(self, role: str, raw: bytes) -> None:
        self._bytes += len(raw)
        if self._bytes > MOST_BYTES:
            raise InvalidError(role, f"all files together have more than {MOST_BYTES} bytes")

    async def _root(self, about: FileMeta) -> bool | None:
        """Take the root; tell whether the former one vouches for it."""
        made, before = self._made, self._before
        if before is not None and before.hashes["root"] == about.sha256:
            for name in BASE_ROLES:
                made.roles[name] = before.roles[name]
                self._take_keys(before.roles[name], before.public_keys)
            made.certificates.update(before.certificates)
            self._keep("root", before)
            return None
        root = await self._fetch("root", about, MEDIUM)
        roles, keys = read.root_roles(root)
        for name, each in roles.items():
            made.roles[name] = each
            self._take_keys(each, keys)
        for key in roles["root"].keys:
            usable = self._checks.key(key, keys)
            if usable is not None and usable.ends is not None:
                made.certificates[key] = usable.ends
        self._must_be_signed(root, about.sha256)
        return None if before is None else await self._vouched(before, root)

    async def _vouched(self, before: State, root: Document) -> bool:
        """Tell whether a chain of roots leads from the former one here, each signed by the one before."""
        signers = self._checks.signers
        role, keys = before.roles["root"], before.public_keys
        if enough(signers(root, role, keys), role):
            return True
        between = range(before.versions["root"] + 1, root.version)
        if not 0 < len(between) <= MOST_ROOTS:
            return False
        for version in between:
            try:
                link = await self._link(version)
                roles, public = read.root_roles(link)
            except (GoneError, InvalidError):
                return False
            own = roles["root"]
            if not (enough(signers(link, role, keys), role) and enough(signers(link, own, public), own)):
                return False
            role, keys = own, public
        return enough(signers(root, role, keys), role)

    async def _link(self, version: int) -> Document:
        self._requests += 1
        raw = await self._source.root(version, MEDIUM)
        self._count("root", raw)
        if len(raw) > MEDIUM:
            raise InvalidError("root", f"version {version} has more than {MEDIUM} bytes")
        link = await _aside(len(raw), lambda: read.read("root", raw))
        if link.version != version:
            raise InvalidError("root", f"version {link.version} came in place of {version}")
        return link

    async def _targets(self, listed: Mapping[str, FileMeta]) -> None:
        read.meta_of(listed, "snapshot", "targets")  # raises without it
        queue = ["targets"]
        while queue:
            role = queue.pop(0)
            # A delegation without a file: nobody has signed anything for it yet.
            if (about := listed.get(role)) is not None:
                queue += await self._signed_tags(role, about)

    async def _signed_tags(self, role: str, about: FileMeta) -> list[str]:
        """Take the tags of targets or of a delegation; return the delegations below it."""
        made, before = self._made, self._before
        keys = made.roles[role]
        if before is not None and before.hashes.get(role) == about.sha256 and before.roles.get(role) == keys:
            if role in before.unsigned:
                return self._pass_over(role, about)
            self._keep(role, before)
            self._take_tags(role, before.tags[role])
            below = {name: each for name, each in before.roles.items() if name.rpartition("/")[0] == role}
            return self._take_delegations(role, below, before.public_keys)
        document = await self._fetch(role, about, LARGE)
        good = self._checks.signers(document, keys, made.public_keys)
        if not enough(good, keys):
            if role == "targets":
                raise InvalidError(role, _unsigned(good, keys))
            return self._pass_over(role, about)
        self._take(document, about.sha256, good)
        signed = await _aside(len(document.message), lambda: read.tags(document))
        self._take_tags(role, {name: tag for name, tag in signed.items() if name.startswith(keys.paths)})
        below, public = read.delegations(document)
        return self._take_delegations(
            role, {name: _within(keys, each) for name, each in below.items()}, public
        )

    def _pass_over(self, role: str, about: FileMeta) -> list[str]:
        """Leave a delegation out that does not verify, as notary's clients do."""
        self._made.unsigned.append(role)
        self._made.hashes[role] = about.sha256
        return []

    def _take_tags(self, role: str, tags: Mapping[str, Tag]) -> None:
        self._tags += len(tags)
        if self._tags > MOST_TAGS:
            raise InvalidError(role, f"more than {MOST_TAGS} tags")
        self._made.tags[role] = tags

    def _take_delegations(
        self, role: str, below: Mapping[str, Keys], public: Mapping[str, tuple[str, str]]
    ) -> list[str]:
        for name, each in below.items():
            self._made.roles[name] = each
            self._take_keys(each, public)
        if len(self._made.roles) > read.MOST_ROLES:
            raise InvalidError(role, f"more than {read.MOST_ROLES} roles")
        return list(below)

    def _take_keys(self, role: Keys, public: Mapping[str, tuple[str, str]]) -> None:
        self._made.public_keys.update({key: public[key] for key in role.keys})

    def _must_be_signed(self, document: Document, digest: str) -> None:
        keys = self._made.roles[document.role]
        good = self._checks.signers(document, keys, self._made.public_keys)
        if not enough(good, keys):
            raise InvalidError(document.role, _unsigned(good, keys))
        self._take(document, digest, good)

    def _take(self, document: Document, digest: str, good: tuple[str, ...]) -> None:
        made, role = self._made, document.role
        made.versions[role] = document.version
        made.expires[role] = document.expires
        made.hashes[role] = digest
        made.signers[role] = good

    def _keep(self, role: str, before: State) -> None:
        made = self._made
        made.versions[role] = before.versions[role]
        made.expires[role] = before.expires[role]
        made.hashes[role] = before.hashes[role]
        made.signers[role] = before.signers[role]


async def _aside(size: int, work: Callable[[], T]) -> T:
    """Do what takes long for many bytes, beside the loop if they are many."""
    return work() if size < _LONG else await asyncio.to_thread(work)


def _within(parent: Keys, child: Keys) -> Keys:
    """Return a delegation without the paths that its parent may not sign itself."""
    return child._replace(paths=tuple(path for path in child.paths if path.startswith(parent.paths)))


def _unsigned(good: tuple[str, ...], keys: Keys) -> str:
    return f"{len(good)} of its {len(keys.keys)} keys signed it; {keys.threshold} must"


def enough(found: tuple[str, ...], role: Keys) -> bool:
    """Tell whether so many keys are as many as the role needs."""
    return len(found) >= role.threshold
