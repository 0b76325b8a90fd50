"""The key that signs evidence: ed25519, as Standard Webhooks writes keys, or as PEM."""

import base64
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from relay.channels.signatures import PUBLIC, decode, private_key

if TYPE_CHECKING:
    # cryptography costs 8 MiB, which only those have to pay who sign: each function imports what it needs.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_PEM: Final = "-----BEGIN"
_BYTES: Final = 32


class Key:
    """A private key. A signature is kept as ``whpk_…:base64``: the public key and what it verifies."""

    def __init__(self, text: str) -> None:
        """Take ``whsk_`` and base64, or PEM. Raises ValueError, without the key in it, for anything else."""
        self._private = _private(text.strip())
        self.public = _written(self._private.public_key())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.public == self.public

    def __hash__(self) -> int:
        return hash(self.public)

    def sign(self, statement: bytes) -> str:
        """Return the signature as entries keep it."""
        return f"{self.public}:{base64.b64encode(self._private.sign(statement)).decode()}"

    def made(self, signature: str | None, statement: bytes) -> bool:
        """Tell whether the signature is its own, and good."""
        return signature is not None and trouble(signature, statement, {self.public}) is None


def _private(text: str) -> "Ed25519PrivateKey":
    if not text.startswith(_PEM):
        return private_key(text)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("this PEM holds no private key that can be read; it may not be encrypted") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise ValueError("this PEM holds a key of another kind: openssl genpkey -algorithm ed25519 makes one")
    return found


def public(text: str) -> str:
    """Return a public key as signatures name it. Raises ValueError for what is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    text = text.strip()
    if text.startswith(_PEM):
        try:
            found = load_pem_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("this PEM holds no public key that can be read") from None
        if not isinstance(found, Ed25519PublicKey):
            raise ValueError("this PEM holds a key of another kind than ed25519")
        return _written(found)
    if not text.startswith(PUBLIC):
        raise ValueError("a public key is `whpk_` and base64 of 32 bytes, or PEM")
    raw = decode(text.removeprefix(PUBLIC), "`whpk_` and base64")
    if len(raw) != _BYTES:
        raise ValueError(f"a public key is 32 bytes; this one decodes to {len(raw)}")
    return _written(Ed25519PublicKey.from_public_bytes(raw))


def trouble(signature: str, statement: bytes, keys: Collection[str]) -> str | None:
    """Return what is wrong with a signature, None if one of the public keys made it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    made_by, _, encoded = signature.partition(":")
    if made_by not in keys:
        return f"is signed by a key that was not given ({made_by[:60]})"
    try:
        raw = decode(made_by.removeprefix(PUBLIC), "")
        Ed25519PublicKey.from_public_bytes(raw).verify(decode(encoded, ""), statement)
    except (InvalidSignature, ValueError):
        return "has a signature that is not good"
    return None


def _written(key: "Ed25519PublicKey") -> str:
    return PUBLIC + base64.b64encode(key.public_bytes_raw()).decode()
