"""Whether enough of a role's keys signed a document, by notary's rules.

Each method stands for one way of signing (notary, tuf/signed/verifiers.go): ecdsa is SHA-256 with r and s one
after the other, each as long as the curve's field; rsapss has SHA-256 and a salt of 32 bytes; eddsa is
ed25519. Public keys are DER (PKIX) or, for the x509 kinds, PEM certificates.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from relay.trust.document import Document, Signature
from relay.trust.errors import InvalidError
from relay.trust.keys import Key, is_made_out_to, load
from relay.trust.state import Keys

MOST_CHECKS: Final = 1000
"""Signatures that are checked in one examination. One takes 0.1 ms; with the largest keys, 0.6 ms."""
MOST_HASHED: Final = 256 * 1024 * 1024
"""Bytes that are hashed in one examination: ed25519 hashes the whole document for every signature."""

PublicKeys = Mapping[str, tuple[str, str]]
"""Keys by id: type, and the public part in base64."""


class Checks:
    """Checks the signatures of one repository's files, and counts what that costs."""

    def __init__(self, gun: str | None) -> None:
        """``gun`` is what a root's certificates must be made out to; None: it needs none."""
        self.made = 0
        """How many signatures were checked."""
        self._gun = gun
        self._hashed = 0
        self._loaded: dict[str, Key | None] = {}

    def signers(self, document: Document, role: Keys, keys: PublicKeys) -> tuple[str, ...]:
        """Return the ids of the role's keys that signed the document, sorted. Raises InvalidError.

        Only signatures by the role's keys are checked, the first of each. A key that is there twice, in two
        certificates, counts once.
        """
        wanted = set(role.keys)
        good: dict[bytes, str] = {}
        digest = sha256(document.message).digest()
        for signature in document.signatures:
            if signature.key not in wanted:
                continue
            wanted.remove(signature.key)
            key = self.key(signature.key, keys)
            if key is None or (document.role == "root" and not self._may_be_root(key)):
                continue
            if self._holds(document, digest, signature, key):
                good.setdefault(key.identity, signature.key)
        return tuple(sorted(good.values()))

    def key(self, key: str, keys: PublicKeys) -> Key | None:
        """Return a key by its id, None if it cannot be used."""
        if key not in self._loaded:
            self._loaded[key] = load(*keys[key])
        return self._loaded[key]

    def _may_be_root(self, key: Key) -> bool:
        return self._gun is None or is_made_out_to(key, self._gun)

    def _holds(self, document: Document, digest: bytes, signature: Signature, key: Key) -> bool:
        method = _METHODS.get((key.kind, signature.method))
        if method is None:
            return False
        message = document.message if method is _eddsa else digest
        self.made += 1
        self._hashed += len(message)
        if self.made > MOST_CHECKS or self._hashed > MOST_HASHED:
            raise InvalidError(document.role, "too many signatures would have to be checked")
        try:
            method(key.public, signature.value, message)
        except (InvalidSignature, ValueError):
            return False
        return True


_DIGEST: Final = Prehashed(hashes.SHA256())


def _ecdsa(key: Any, value: bytes, digest: bytes) -> None:
    octets = (key.curve.key_size + 7) // 8
    if len(value) != 2 * octets:
        raise ValueError("r and s are not of the curve's size")
    r, s = int.from_bytes(value[:octets], "big"), int.from_bytes(value[octets:], "big")
    key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(_DIGEST))


def _pss(key: Any, value: bytes, digest: bytes) -> None:
    key.verify(value, digest, padding.PSS(padding.MGF1(hashes.SHA256()), 32), _DIGEST)


def _pkcs1(key: Any, value: bytes, digest: bytes) -> None:
    key.verify(value, digest, padding.PKCS1v15(), _DIGEST)


def _eddsa(key: Any, value: bytes, message: bytes) -> None:
    key.verify(value, message)


_METHODS: Final[Mapping[tuple[str, str], Callable[[Any, bytes, bytes], None]]] = {
    ("ecdsa", "ecdsa"): _ecdsa,
    ("rsa", "rsapss"): _pss,
    ("rsa", "rsapkcs1v15"): _pkcs1,
    ("ed25519", "eddsa"): _eddsa,
}
