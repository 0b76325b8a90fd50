"""Trust data as notary keeps it, for the imitation: keys, tags, and the signed files they make.

Only the writing side of what `relay.trust` reads; the real server holds it to account in the tests.
"""

import base64
import json
import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from relay.trust.document import canonical, key_id

_LIFETIMES = {
    "root": timedelta(days=3650),
    "targets": timedelta(days=1095),
    "snapshot": timedelta(days=1095),
    "timestamp": timedelta(days=14),
}
"""How long notary's client and server make each role's metadata valid."""
_MANIFEST_BYTES = 1372
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256."""


class _Key:
    """A key; with ``owner`` one whose public part is a certificate made out to that name, as of a root."""

    def __init__(self, random: Random, now: datetime, owner: str = "") -> None:
        self._private = ec.derive_private_key(random.randrange(1, _ORDER), ec.SECP256R1())
        public = self._private.public_key()
        if owner:
            raw = self._certificate(owner, random, now).public_bytes(Encoding.PEM)
        else:
            raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.kind = "ecdsa-x509" if owner else "ecdsa"
        self.public = base64.b64encode(raw).decode()
        self.id = key_id(self.kind, self.public)

    def _certificate(self, owner: str, random: Random, now: datetime) -> x509.Certificate:
        with warnings.catch_warnings():
            # Names of more than 64 characters are against X.509; notary makes them all the same.
            warnings.simplefilter("ignore", UserWarning)
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, owner, _validate=False)])
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._private.public_key())
            .serial_number(random.randrange(1, 2**64))
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + _LIFETIMES["root"])
            .sign(self._private, hashes.SHA256())
        )

    def sign(self, signed: Mapping[str, Any]) -> bytes:
        """Return the file that holds the object and the signature over it."""
        r, s = decode_dss_signature(self._private.sign(canonical(signed), ec.ECDSA(hashes.SHA256())))
        signature = base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
        signatures = [{"keyid": self.id, "method": "ecdsa", "sig": signature}]
        return json.dumps({"signed": signed, "signatures": signatures}).encode()


class SignedRepository:
    """The trust data of one repository, from its initialisation to its deletion."""

    def __init__(self, gun: str, random: Random, now: datetime) -> None:
        self._random = random
        self._keys = {role: _Key(random, now, gun if role == "root" else "") for role in _LIFETIMES}
        self._files: dict[tuple[str, str], bytes] = {}
        self.tags: dict[str, str] = {}
        """SHA-256 of what is signed, in hex, by tag."""
        self.version = 0
        keys = {
            key.id: {"keytype": key.kind, "keyval": {"private": None, "public": key.public}}
            for key in self._keys.values()
        }
        roles = {role: {"keyids": [key.id], "threshold": 1} for role, key in self._keys.items()}
        content = {"consistent_snapshot": False, "keys": keys, "roles": roles}
        self.root = self._write("root", 1, now, content)

    def publish(self, now: datetime, tags: Mapping[str, str] | None = None) -> str:
        """Sign these tags (SHA-256 in hex) beside those that are, or a new `latest`; return the SHA-256 of
        the timestamp, which is what the record of it holds."""
        self.tags |= tags or {"latest": f"{self._random.getrandbits(256):064x}"}
        self.version += 1
        listed = {
            tag: {"hashes": {"sha256": _base64(digest)}, "length": _MANIFEST_BYTES}
            for tag, digest in self.tags.items()
        }
        nobody: dict[str, Any] = {"keys": {}, "roles": []}
        targets = self._write("targets", self.version, now, {"delegations": nobody, "targets": listed})
        about = {"root": _about(self.root), "targets": _about(targets)}
        snapshot = self._write("snapshot", self.version, now, {"meta": about})
        timestamp = self._write("timestamp", self.version, now, {"meta": {"snapshot": _about(snapshot)}})
        return sha256(timestamp).hexdigest()

    def file(self, name: str) -> bytes | None:
        """Return the file that is called so on the server, less its `.json`; None if there is none.

        Only names by which the relay may ask: `root`, and those that hold a hash.
        """
        if name == "root":
            return self.root
        role, _, digest = name.rpartition(".")
        return self._files.get((role, digest))

    def _write(self, role: str, version: int, now: datetime, content: Mapping[str, Any]) -> bytes:
        expires = f"{now + _LIFETIMES[role]:%Y-%m-%dT%H:%M:%S.%f}000Z"
        signed = {"_type": role.capitalize(), "expires": expires, "version": version, **content}
        raw = self._keys[role].sign(signed)
        self._files[role, sha256(raw).hexdigest()] = raw
        return raw


def _about(raw: bytes) -> dict[str, Any]:
    return {"hashes": {"sha256": _base64(sha256(raw).hexdigest())}, "length": len(raw)}


def _base64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()
