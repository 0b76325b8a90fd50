"""Tokens as MSR issues them: JWTs signed with RS256, by a key that notary knows the certificate of."""

import base64
import datetime
import hashlib
import json
import time
import uuid
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

SERVICE = "dtr"


@dataclass(frozen=True)
class User:
    """Somebody who may ask MSR; an administrator may do everything."""

    name: str
    password: str
    admin: bool = False
    repositories: frozenset[str] = field(default_factory=frozenset)
    """GUNs that may be read."""

    def access(self, scope: str, public: Set[str] = frozenset()) -> list[dict[str, Any]]:
        """What is granted of a scope `type:name:actions`, whose name may hold colons; `public` is for all."""
        kind, _, rest = scope.partition(":")
        name, _, wanted = rest.rpartition(":")
        actions = wanted.split(",")
        if not self.admin:
            readable = kind == "repository" and name in self.repositories | public
            actions = [action for action in actions if readable and action == "pull"]
        return [{"type": kind, "name": name, "actions": actions}] if actions else []


class Issuer:
    """Signs tokens; `certificate` is notary's `rootcertbundle`."""

    name = "msr"

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._kid = key_id(self._key.public_key())
        self.certificate = folder / "tokens.pem"
        self.certificate.write_bytes(self._self_signed())

    def token(self, user: User, scopes: list[str], lifetime: int, public: Set[str] = frozenset()) -> str:
        """Valid from now on for `lifetime` seconds, and for what the user may do of the scopes."""
        now = int(time.time())
        claims = {
            "iss": self.name,
            "sub": user.name,
            "aud": SERVICE,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "jti": uuid.uuid4().hex,
            "access": [grant for scope in scopes for grant in user.access(scope, public)],
        }
        signed = f"{_part({'typ': 'JWT', 'alg': 'RS256', 'kid': self._kid})}.{_part(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64url(signature)}"

    def _self_signed(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "MSR's tokens")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def key_id(key: rsa.RSAPublicKey) -> str:
    """How notary names a key: SHA-256 of the SPKI, its first 30 bytes in base32, in groups of four."""
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    letters = base64.b32encode(hashlib.sha256(spki).digest()[:30]).decode()
    return ":".join(letters[i : i + 4] for i in range(0, len(letters), 4))


def _part(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
