"""Writes trust data as notary does, with keys of its own: what the real programs refuse to write, too."""

import base64
import json
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from securesystemslib.formats import encode_canonical

from relay.trust import Examined, InvalidError, State, examine

from .people import certificate
from .stored import Stored

GUN = "msr.example.com/prod/app"
EXPIRES = "2036-11-23T20:58:11.165146927Z"
Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Json = dict[str, Any]


@dataclass(frozen=True)
class Author:
    """Somebody with a key, perhaps in a certificate."""

    key: Private
    kind: str
    public: bytes
    method: str
    _known: dict[tuple[str, bytes], bytes] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def make(cls, kind: str = "ecdsa", *, name: str = GUN, curve: ec.EllipticCurve | None = None) -> "Author":
        """A key of a type as in the metadata; `name` is what a certificate is made out to."""
        key: Private
        if kind.startswith("rsa"):
            key = rsa.generate_private_key(65537, 2048)
        elif kind == "ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
        else:
            key = ec.generate_private_key(curve or ec.SECP256R1())
        return cls.of(key, kind, name)

    @classmethod
    def of(cls, key: Private, kind: str, name: str = GUN, **more: Any) -> "Author":
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return cls(key, kind, key.public_key().public_bytes_raw(), "eddsa")
        method = "rsapss" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa"
        if kind.endswith("-x509"):
            return cls(key, kind, certificate(key, name, **more), method)
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return cls(key, kind, key.public_key().public_bytes(encoding, form), method)

    @property
    def document(self) -> Json:
        public = base64.b64encode(self.public).decode()
        return {"keytype": self.kind, "keyval": {"private": None, "public": public}}

    @property
    def id(self) -> str:
        return sha256(canonical(self.document)).hexdigest()

    def sign(self, message: bytes) -> bytes:
        """The same for the same message: what did not change is the same file again."""
        if (self.method, message) not in self._known:
            self._known[self.method, message] = self._sign(message)
        return self._known[self.method, message]

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        if isinstance(self.key, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            form = padding.PKCS1v15() if self.method == "rsapkcs1v15" else pss
            return self.key.sign(message, form, hashes.SHA256())
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        octets = (self.key.curve.key_size + 7) // 8
        return r.to_bytes(octets, "big") + s.to_bytes(octets, "big")

    def signature(self, message: bytes) -> Json:
        return {
            "keyid": self.id,
            "method": self.method,
            "sig": base64.b64encode(self.sign(message)).decode(),
        }


def canonical(value: Json) -> bytes:
    return str(encode_canonical(value)).encode()


def meta(raw: bytes) -> Json:
    """What one file says of another."""
    hashed = {"sha256": sha256(raw).digest(), "sha512": sha512(raw).digest()}
    return {
        "hashes": {name: base64.b64encode(digest).decode() for name, digest in hashed.items()},
        "length": len(raw),
    }


def tag(content: bytes) -> Json:
    return meta(content)


def role(*authors: Author, threshold: int = 1) -> Json:
    return {"keyids": [author.id for author in authors], "threshold": threshold}


def keys(*authors: Author) -> Json:
    return {author.id: author.document for author in authors}


def signed(document: Json, *authors: Author) -> bytes:
    message = canonical(document)
    return json.dumps(
        {"signed": document, "signatures": [author.signature(message) for author in authors]}
    ).encode()


@dataclass
class Book:
    """A repository, to be changed anyhow before it is published. Each part can be replaced by any bytes."""

    root_key: Author = field(default_factory=lambda: Author.make("ecdsa-x509"))
    targets_key: Author = field(default_factory=Author.make)
    snapshot_key: Author = field(default_factory=Author.make)
    timestamp_key: Author = field(default_factory=lambda: Author.make("ed25519"))
    version: int = 1
    tags: Json = field(default_factory=lambda: {"1.0": tag(b"one")})
    delegations: dict[str, "Delegation"] = field(default_factory=dict)
    """By role, parents before their children."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """By role: what is published in place of what would be written."""
    root_signers: tuple[Author, ...] | None = None
    """Who signs the root; else its key."""

    def head(self, kind: str, **more: Any) -> Json:
        return {"_type": kind, "version": self.version, "expires": EXPIRES, **more}

    def root(self) -> Json:
        authors = {
            "root": self.root_key,
            "targets": self.targets_key,
            "snapshot": self.snapshot_key,
            "timestamp": self.timestamp_key,
        }
        return self.head(
            "Root",
            consistent_snapshot=False,
            keys=keys(*authors.values()),
            roles={name: role(author) for name, author in authors.items()},
        )

    def targets(self, of: str = "targets", tags: Json | None = None) -> Json:
        below = {name: each for name, each in self.delegations.items() if name.rpartition("/")[0] == of}
        return self.head(
            "Targets",
            targets=self.tags if tags is None else tags,
            delegations={
                "keys": keys(*(author for each in below.values() for author in each.authors)),
                "roles": [
                    {"name": name, "paths": each.paths, **role(*each.authors, threshold=each.threshold)}
                    for name, each in below.items()
                ],
            },
        )

    def publish(self, source: Stored) -> str:
        """Puts all files where they can be fetched; gives the SHA-256 of the timestamp."""
        files = {
            "root": signed(self.root(), *(self.root_signers or (self.root_key,))),
            "targets": signed(self.targets(), self.targets_key),
            **{
                name: signed(self.targets(name, each.tags), *each.signers)
                for name, each in self.delegations.items()
                if each.tags is not None
            },
        }
        files |= {name: raw for name, raw in self.raw.items() if name not in ("snapshot", "timestamp")}
        listed = {name: meta(raw) for name, raw in files.items()}
        snapshot = signed(self.head("Snapshot", meta=listed), self.snapshot_key)
        files["snapshot"] = self.raw.get("snapshot", snapshot)
        timestamp = self.head("Timestamp", meta={"snapshot": meta(files["snapshot"])})
        files["timestamp"] = self.raw.get("timestamp", signed(timestamp, self.timestamp_key))
        source.roots[self.version] = files["root"]
        return [source.add(name, raw) for name, raw in files.items()][-1]


@dataclass
class Delegation:
    """A delegated role."""

    authors: tuple[Author, ...]
    signers: tuple[Author, ...]
    tags: Json | None = None
    """None: nobody has published it yet."""
    paths: list[str] = field(default_factory=lambda: [""])
    threshold: int = 1

    @classmethod
    def by(cls, *authors: Author, **more: Any) -> "Delegation":
        """One that all who may also sign."""
        return cls(authors, authors, **more)


async def publish(book: Book, before: State | None = None, source: Stored | None = None) -> Examined:
    source = source or Stored()
    return await examine(source, book.publish(source), before, gun=GUN)


async def refused(book: Book, *, role: str, match: str, before: State | None = None) -> None:
    with pytest.raises(InvalidError, match=match) as caught:
        await publish(book, before)
    assert caught.value.role == role
