"""Whether enough of a role's keys signed a document, by notary's rules.

Each method stands for one way of signing (notary, tuf/signed/verifiers.go): ecdsa is SHA-256 with r and s one
after the other, each as long as the curve's field; rsapss has SHA-256 and a salt of 32 bytes; RSA keys have
at least 2048 bits; eddsa is ed25519. Public keys are DER (PKIX) or, for the x509 kinds, a PEM certificate.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from relay.trust.document import Document, Signature
from relay.trust.state import Keys

_SMALLEST_RSA: Final = 2048
_LARGEST_RSA: Final = 8192
"""Verifying with larger keys would cost a hostile server little and the relay much."""

PublicKeys = Mapping[str, tuple[str, str]]
"""Keys by id: type, and the public part in base64."""


def signers(document: Document, role: Keys, keys: PublicKeys) -> tuple[str, ...]:
    """Return the ids of the role's keys that signed the document. Each key is tried at most once."""
    good: list[str] = []
    tried: set[str] = set()
    for signature in document.signatures:
        if signature.key not in role.keys or signature.key in tried or signature.key not in keys:
            continue
        tried.add(signature.key)
        if _holds(signature, document.message, *keys[signature.key]):
            good.append(signature.key)
    return tuple(sorted(good))


def enough(found: tuple[str, ...], role: Keys) -> bool:
    """Tell whether so many keys are as many as the role needs."""
    return len(found) >= role.threshold


def _holds(signature: Signature, message: bytes, kind: str, public: str) -> bool:
    try:
        key = _public_key(kind, public)
    except (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error):
        return False
    verify = _METHODS.get(signature.method)
    try:
        return verify is not None and verify(key, signature.value, message)
    except (InvalidSignature, ValueError):
        return False


def _public_key(kind: str, public: str) -> Any:
    raw = base64.b64decode(public, validate=True)
    if kind.endswith("-x509"):
        return x509.load_pem_x509_certificate(raw).public_key()
    if kind == "ed25519" and len(raw) == 32:
        return ed25519.Ed25519PublicKey.from_public_bytes(raw)
    return load_der_public_key(raw)


def _ecdsa(key: Any, value: bytes, message: bytes) -> bool:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    octets = (key.curve.key_size + 7) // 8
    if len(value) != 2 * octets:
        return False
    r, s = int.from_bytes(value[:octets], "big"), int.from_bytes(value[octets:], "big")
    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    return True


def _pss(key: Any, value: bytes, message: bytes) -> bool:
    if not _is_rsa(key):
        return False
    key.verify(value, message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return True


def _pkcs1(key: Any, value: bytes, message: bytes) -> bool:
    if not _is_rsa(key):
        return False
    key.verify(value, message, padding.PKCS1v15(), hashes.SHA256())
    return True


def _is_rsa(key: Any) -> bool:
    return isinstance(key, rsa.RSAPublicKey) and _SMALLEST_RSA <= key.key_size <= _LARGEST_RSA


def _eddsa(key: Any, value: bytes, message: bytes) -> bool:
    if not isinstance(key, ed25519.Ed25519PublicKey):
        return False
    key.verify(value, message)
    return True


_METHODS: Final[Mapping[str, Callable[[Any, bytes, bytes], bool]]] = {
    "ecdsa": _ecdsa,
    "rsapss": _pss,
    "rsapkcs1v15": _pkcs1,
    "eddsa": _eddsa,
}
