"""Reading notary's metadata files.

Notary's dialect of TUF, as its server 0.7.0 writes it: ``_type`` is capitalised, there is no
``spec_version``, times carry nanoseconds and a zone, hashes and signatures are in base64, keys are PEM in
base64, and a snapshot's ``meta`` holds hashes and lengths but no versions (source: notary, tuf/data).
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256, sha512
from typing import Any, Final, TypeVar

from securesystemslib.exceptions import FormatError
from securesystemslib.formats import encode_canonical

from relay.trust import strict
from relay.trust.errors import InvalidError
from relay.trust.state import BASE_ROLES, Keys, Tag

T = TypeVar("T")

MOST_ROLES: Final = 100
"""Roles of one repository; a real one has a handful of delegations."""
MOST_FILES: Final = 1000
"""Files that a snapshot names: it may name those of former delegations, which are not read."""
MOST_KEYS: Final = 200
"""Keys in one file."""
MOST_PATHS: Final = 100
"""Paths of one delegation."""
MOST_SIGNATURES: Final = 200
"""Signatures on one file."""
MOST_TAGS: Final = 50_000
"""Tags of one role."""
_LONGEST_NAME: Final = 1000
_LONGEST_KEY: Final = 20_000
_LONGEST_ROLE: Final = 255
"""notary's limit (tuf/data/roles.go)."""

_TYPES: Final = {"root": "Root", "timestamp": "Timestamp", "snapshot": "Snapshot"}
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", flags=re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", flags=re.ASCII)
_ROLE = re.compile(r"targets(?:/[-a-z0-9_]+){1,10}", flags=re.ASCII)
_KIND = re.compile(r"[a-z0-9_.-]{1,32}", flags=re.ASCII)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: who, how, and the bytes."""

    key: str
    method: str
    value: bytes


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What a file says of another one: SHA-256 in hex, the length in bytes, and perhaps SHA-512 in hex."""

    sha256: str
    length: int
    sha512: str = ""

    def is_of(self, raw: bytes) -> bool:
        """Tell whether this is the file. Its length is part of the hashes' job."""
        return sha256(raw).hexdigest() == self.sha256 and (
            not self.sha512 or sha512(raw).hexdigest() == self.sha512
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A metadata file, read but not verified. ``message`` is what the signatures are over."""

    role: str
    signed: Mapping[str, Any]
    message: bytes
    signatures: tuple[Signature, ...]
    version: int
    expires: datetime


def read(role: str, raw: bytes) -> Document:
    """Return the document in a file. Raises InvalidError."""

    def read_all() -> Document:
        whole = _object(strict.parse(raw), "the file")
        signed = _object(whole.get("signed"), "signed")
        kind = _text(signed.get("_type"), "_type")
        if kind != _TYPES.get(role, "Targets"):
            raise ValueError(f"it is of type {kind[:50]!r}")
        version = _number(signed.get("version"), "version")
        if version < 1:
            raise ValueError("a version below 1")
        return Document(
            role,
            signed,
            canonical(signed),
            tuple(_signatures(whole.get("signatures"))),
            version,
            _time(signed.get("expires")),
        )

    return _guarded(role, read_all)


def meta(document: Document, role: str) -> FileMeta:
    """Return what a timestamp or snapshot says of another file. Raises InvalidError."""
    return meta_of(metas(document), document.role, role)


def meta_of(listed: Mapping[str, FileMeta], by: str, role: str) -> FileMeta:
    """Return what of a file is listed by another one. Raises InvalidError."""
    found = listed.get(role)
    if found is None:
        raise InvalidError(by, f"it does not name {role}")
    return found


def metas(document: Document) -> dict[str, FileMeta]:
    """Return everything that a timestamp or snapshot names. Raises InvalidError."""

    def read_all() -> dict[str, FileMeta]:
        listed = _object(document.signed.get("meta"), "meta")
        _at_most(listed, MOST_FILES, "files")
        return {_text(name, "a name"): _file_meta(about) for name, about in listed.items()}

    return _guarded(document.role, read_all)


def root_roles(document: Document) -> tuple[dict[str, Keys], dict[str, tuple[str, str]]]:
    """Return the roles of a root with their keys, and all keys: type and base64. Raises InvalidError."""

    def read_all() -> tuple[dict[str, Keys], dict[str, tuple[str, str]]]:
        listed = _object(document.signed.get("roles"), "roles")
        public = _public_keys(document.signed.get("keys"))
        roles = {name: _keys(_object(listed.get(name), f"the role {name}"), public) for name in BASE_ROLES}
        return roles, public

    return _guarded(document.role, read_all)


def delegations(document: Document) -> tuple[dict[str, Keys], dict[str, tuple[str, str]]]:
    """Return the delegations of targets metadata, as ``root_roles`` does. Raises InvalidError."""

    def read_all() -> tuple[dict[str, Keys], dict[str, tuple[str, str]]]:
        held = document.signed.get("delegations")
        if held is None:
            return {}, {}
        keys = _object(held, "delegations").get("keys")
        public = {} if keys is None else _public_keys(keys)
        listed = _object(held, "delegations").get("roles")
        listed = [] if listed is None else listed
        if not isinstance(listed, list):
            raise ValueError("delegations.roles is no list")
        _at_most(listed, MOST_ROLES, "delegations")
        roles: dict[str, Keys] = {}
        for each in listed:
            about = _object(each, "a delegation")
            name = _text(about.get("name"), "the name of a delegation")
            if not is_delegation(name) or name.rpartition("/")[0] != document.role:
                raise ValueError(f"{name[:100]!r} cannot be a delegation of {document.role}")
            if name in roles:
                raise ValueError(f"{name} comes twice")
            roles[name] = _keys(about, public)._replace(paths=_paths(about.get("paths")))
        return roles, public

    return _guarded(document.role, read_all)


def tags(document: Document) -> dict[str, Tag]:
    """Return the tags of targets metadata. Raises InvalidError."""

    def read_all() -> dict[str, Tag]:
        listed = document.signed.get("targets")
        listed = {} if listed is None else _object(listed, "targets")
        _at_most(listed, MOST_TAGS, "tags")
        found = {}
        for name, about in listed.items():
            held = _hashed(about)
            found[_text(name, "a tag")] = Tag(held.sha256, held.length)
        return found

    return _guarded(document.role, read_all)


def is_delegation(name: str) -> bool:
    """Tell whether a role can be a delegation, by notary's rules, and at most ten levels deep."""
    return len(name) <= _LONGEST_ROLE and _ROLE.fullmatch(name) is not None


def file_name(role: str, sha256: str | None, version: int | None) -> str:
    """Return the name of a file on the server, by its hash (hex) or version, without ``.json``.

    Raises ValueError for what is none, and for a role alone: that could be the name of what the server may
    sign anew.
    """
    if role not in BASE_ROLES and not is_delegation(role):
        raise ValueError("no role")
    if sha256 is not None and is_sha256(sha256) and version is None:
        return f"{role}.{sha256}"
    if sha256 is None and version is not None and version >= 1:
        return f"{version}.{role}"
    raise ValueError("neither a hash nor a version")


def is_sha256(text: str) -> bool:
    """Tell whether a text is a SHA-256 in hex, in small letters."""
    return _HEX.fullmatch(text) is not None


def key_id(kind: str, public: str) -> str:
    """Return the id of a key: SHA-256 of the canonical JSON of its public part (notary, tuf/data/keys.go)."""
    body = {"keytype": kind, "keyval": {"private": None, "public": public}}
    return sha256(canonical(body)).hexdigest()


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON of an object, which is what is signed. Raises ValueError."""
    try:
        return str(encode_canonical(dict(value))).encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair") from None
    except FormatError:
        # Its text would hold the whole document.
        raise ValueError("a value that cannot be signed") from None


def _guarded(role: str, read_all: Callable[[], T]) -> T:
    try:
        return read_all()
    except ValueError as error:
        raise InvalidError(role, f"it cannot be read: {error}") from None


def _public_keys(value: object) -> dict[str, tuple[str, str]]:
    listed = _object(value, "keys")
    _at_most(listed, MOST_KEYS, "keys")
    found = {}
    for name, about in listed.items():
        held = _object(about, "a key")
        kind = _text(held.get("keytype"), "keytype")
        if not _KIND.fullmatch(kind):
            raise ValueError(f"a key of type {kind[:50]!r}")
        # As notary does: the id is over the bytes, however they were written.
        public = base64.b64encode(_base64(_object(held.get("keyval"), "keyval").get("public"), "a key"))
        if key_id(kind, public.decode()) != name:
            raise ValueError(f"the key {name[:64]!r} is not the one that its id names")
        found[name] = (kind, public.decode())
    return found


def _keys(about: Mapping[str, Any], public: Mapping[str, Any]) -> Keys:
    listed = about.get("keyids")
    if not isinstance(listed, list):
        raise ValueError("keyids is no list")
    _at_most(listed, MOST_KEYS, "keys of a role")
    ids = tuple(sorted({_hex(each) for each in listed}))
    if any(each not in public for each in ids):
        raise ValueError("a role has a key that is not there")
    threshold = _number(about.get("threshold"), "threshold")
    if threshold < 1:
        raise ValueError("a threshold below 1")
    return Keys(ids, threshold)


def _paths(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError("paths is no list")
    _at_most(value, MOST_PATHS, "paths")
    # The empty one stands for every name.
    return tuple(sorted({_text(each, "a path") if each != "" else "" for each in value}))


def _signatures(value: object) -> list[Signature]:
    if not isinstance(value, list):
        raise ValueError("signatures is no list")
    _at_most(value, MOST_SIGNATURES, "signatures")
    found = []
    for each in value:
        held = _object(each, "a signature")
        found.append(
            Signature(
                _text(held.get("keyid"), "keyid"),
                _text(held.get("method"), "method").lower(),
                _base64(held.get("sig"), "sig"),
            )
        )
    return found


def _file_meta(value: object) -> FileMeta:
    found = _hashed(value)
    if not found.sha256:
        raise ValueError("what is said of a file has no SHA-256")
    return found


def _hashed(value: object) -> FileMeta:
    held = _object(value, "what is said of a file")
    hashes = _object(held.get("hashes"), "hashes")
    shorter = _base64(hashes.get("sha256", ""), "the SHA-256 of a file")
    longer = _base64(hashes.get("sha512", ""), "the SHA-512 of a file")
    if len(shorter) not in (0, 32) or len(longer) not in (0, 64) or not shorter + longer:
        raise ValueError("what is said of a file has no hash of the right length")
    return FileMeta(shorter.hex(), _number(held.get("length"), "length"), longer.hex())


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value or len(value) > _LONGEST_NAME:
        raise ValueError(f"{what} is no text of at most {_LONGEST_NAME} characters")
    if not value.isprintable():
        raise ValueError(f"{what} holds what cannot be printed")
    return value


def _number(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < strict.LARGEST:
        raise ValueError(f"{what} is no number")
    return value


def _hex(value: object) -> str:
    if not isinstance(value, str) or not is_sha256(value):
        raise ValueError("a key id that is none")
    return value


def _base64(value: object, what: str) -> bytes:
    if not isinstance(value, str) or len(value) > _LONGEST_KEY:
        raise ValueError(f"{what} is no base64")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError(f"{what} is no base64") from None


def _time(value: object) -> datetime:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expires is no time")
    moment, fraction, zone = found.groups()
    try:
        return datetime.fromisoformat(f"{moment}{(fraction or '')[:7]}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("expires is out of range") from None


def _at_most(listed: Any, most: int, what: str) -> None:
    if len(listed) > most:
        raise ValueError(f"more than {most} {what}")
