"""Reading notary's metadata files.

Notary's dialect of TUF, as its server 0.7.0 writes it: ``_type`` is capitalised, there is no
``spec_version``, times carry nanoseconds and a zone, hashes and signatures are in base64, keys are PEM in
base64, and a snapshot's ``meta`` holds hashes and lengths but no versions (source: notary, tuf/data).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from securesystemslib.exceptions import FormatError
from securesystemslib.formats import encode_canonical

from relay.trust.errors import InvalidError
from relay.trust.state import Keys, Tag

MOST_ROLES: Final = 500
"""Delegations that are read of one repository; a real one has a handful."""
MOST_KEYS: Final = 1000
MOST_SIGNATURES: Final = 100
MOST_TAGS: Final = 100_000
_LONGEST_NAME: Final = 1000
_LARGEST: Final = 2**53

_TYPES: Final = {"root": "root", "timestamp": "timestamp", "snapshot": "snapshot"}
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", flags=re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", flags=re.ASCII)
_ROLE = re.compile(r"targets(?:/[^/\s\x00-\x1f\x7f]{1,255}){1,10}")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: who, how, and the bytes."""

    key: str
    method: str
    value: bytes


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What a file says of another one: SHA-256 in hex, and the length in bytes."""

    sha256: str
    length: int


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
    try:
        document = json.loads(raw.decode(), parse_constant=_refuse)
        whole = _object(document, "the file")
        signed = _object(whole.get("signed"), "signed")
        message = encode_canonical(signed).encode()
        kind = _text(signed.get("_type"), "_type").lower()
        if kind != _TYPES.get(role, "targets"):
            raise ValueError(f"it is of type {kind!r}")
        return Document(
            role,
            signed,
            message,
            tuple(_signatures(whole.get("signatures"))),
            _number(signed.get("version"), "version"),
            _time(signed.get("expires")),
        )
    except RecursionError:
        raise InvalidError(role, "it is nested too deeply") from None
    except (ValueError, FormatError, TypeError) as error:
        raise InvalidError(role, f"it cannot be read: {error}") from None


def meta(document: Document, role: str) -> FileMeta:
    """Return what a timestamp or snapshot says of another file. Raises InvalidError."""
    found = metas(document).get(role)
    if found is None:
        raise InvalidError(document.role, f"it does not name {role}")
    return found


def metas(document: Document) -> dict[str, FileMeta]:
    """Return everything that a timestamp or snapshot names. Raises InvalidError."""

    def read_all() -> dict[str, FileMeta]:
        listed = _object(document.signed.get("meta"), "meta")
        _at_most(listed, MOST_ROLES, "files")
        return {_text(name, "a name"): _file_meta(about) for name, about in listed.items()}

    return _guarded(document.role, read_all)


def root_roles(document: Document) -> tuple[dict[str, Keys], dict[str, tuple[str, str]]]:
    """Return the roles of a root with their keys, and all keys by id as type and base64. Raises InvalidError."""

    def read_all() -> tuple[dict[str, Keys], dict[str, tuple[str, str]]]:
        listed = _object(document.signed.get("roles"), "roles")
        roles = {
            name: _keys(_object(listed.get(name), f"the role {name}"))
            for name in ("root", "targets", "snapshot", "timestamp")
        }
        return roles, _public_keys(document.signed.get("keys"))

    return _guarded(document.role, read_all)


def delegations(document: Document) -> tuple[dict[str, Keys], dict[str, tuple[str, str]]]:
    """Return the delegations of targets metadata, as ``root_roles`` does. Raises InvalidError."""

    def read_all() -> tuple[dict[str, Keys], dict[str, tuple[str, str]]]:
        held = document.signed.get("delegations")
        if held is None:
            return {}, {}
        listed = _object(held, "delegations").get("roles")
        listed = [] if listed is None else listed
        if not isinstance(listed, list):
            raise ValueError("delegations.roles is no list")
        _at_most(listed, MOST_ROLES, "delegations")
        roles = {}
        for each in listed:
            about = _object(each, "a delegation")
            name = _text(about.get("name"), "the name of a delegation")
            if not _ROLE.fullmatch(name) or name.rpartition("/")[0] != document.role:
                raise ValueError(f"{name[:100]!r} cannot be a delegation of {document.role}")
            roles[name] = _keys(about)._replace(paths=_paths(about.get("paths")))
        keys = _object(held, "delegations").get("keys")
        return roles, {} if keys is None else _public_keys(keys)

    return _guarded(document.role, read_all)


def tags(document: Document) -> dict[str, Tag]:
    """Return the tags of targets metadata. Raises InvalidError."""

    def read_all() -> dict[str, Tag]:
        listed = document.signed.get("targets")
        listed = {} if listed is None else _object(listed, "targets")
        _at_most(listed, MOST_TAGS, "tags")
        found = {}
        for name, about in listed.items():
            held = _file_meta(about)
            found[_text(name, "a tag")] = Tag(held.sha256, held.length)
        return found

    return _guarded(document.role, read_all)


def key_id(kind: str, public: str) -> str:
    """Return the id of a key: SHA-256 over the canonical JSON of its public part (notary, tuf/data/keys.go)."""
    body = {"keytype": kind, "keyval": {"private": None, "public": public}}
    return sha256(encode_canonical(body).encode()).hexdigest()


def _guarded(role: str, read_all: Any) -> Any:
    try:
        return read_all()
    except (ValueError, TypeError) as error:
        raise InvalidError(role, f"it cannot be read: {error}") from None


def _public_keys(value: object) -> dict[str, tuple[str, str]]:
    listed = _object(value, "keys")
    _at_most(listed, MOST_KEYS, "keys")
    found = {}
    for name, about in listed.items():
        held = _object(about, "a key")
        kind = _text(held.get("keytype"), "keytype")
        public = _object(held.get("keyval"), "keyval").get("public")
        if not isinstance(public, str) or len(public) > 20_000:
            raise ValueError("a key without a public part")
        if key_id(kind, public) != name:
            raise ValueError(f"the key {name[:64]!r} is not the one that its id names")
        found[name] = (kind, public)
    return found


def _keys(about: Mapping[str, Any]) -> Keys:
    listed = about.get("keyids")
    if not isinstance(listed, list):
        raise ValueError("keyids is no list")
    _at_most(listed, MOST_KEYS, "keys of a role")
    ids = tuple(sorted({_hex(each) for each in listed}))
    threshold = _number(about.get("threshold"), "threshold")
    if threshold < 1:
        raise ValueError("a threshold below 1")
    return Keys(ids, threshold)


def _paths(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("paths is no list of texts")
    _at_most(value, MOST_ROLES, "paths")
    return tuple(sorted(value))


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
    held = _object(value, "what is said of a file")
    hashes = _object(held.get("hashes"), "hashes")
    digest = _base64(hashes.get("sha256"), "the SHA-256 of a file")
    if len(digest) != 32:
        raise ValueError("a SHA-256 that is none")
    return FileMeta(digest.hex(), _number(held.get("length"), "length"))


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value or len(value) > _LONGEST_NAME:
        raise ValueError(f"{what} is no text")
    return value


def _number(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST:
        raise ValueError(f"{what} is no number")
    return value


def _hex(value: object) -> str:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ValueError("a key id that is none")
    return value


def _base64(value: object, what: str) -> bytes:
    if not isinstance(value, str) or len(value) > 20_000:
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


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
