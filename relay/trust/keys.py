"""The public keys of trust data, as notary writes them: made usable, or not.

Sources: notary, tuf/signed/verifiers.go (types, sizes), trustpinning/certs.go (what a root's certificate has
to be), tuf/utils/x509.go.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeGuard

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from relay.trust.document import key_id

RSA_BITS: Final = (2048, 8192)
"""The lower bound is notary's. Above the upper one, verifying costs a hostile server little and us much."""
_LARGEST_EXPONENT: Final = 2**31
"""Go's: a huge one would make verifying slow."""
_CURVES: Final = (ec.SECP224R1, ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
"""Those that Go knows. notary itself makes P-256."""

Usable = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
"""What can verify something."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key that can be used."""

    kind: str
    """``ecdsa``, ``rsa`` or ``ed25519``."""
    public: Usable
    identity: bytes
    """Equal for two keys that are the same, in whatever certificates they are."""
    common_name: str | None = None
    """Of the certificate that it came in; None if it came in none that a root may have."""
    ends: datetime | None = None
    """When that certificate expires."""

    @property
    def canonical_id(self) -> str:
        """The id without any certificate."""
        return key_id(self.kind, base64.b64encode(self.identity).decode())


def load(kind: str, public: str) -> Key | None:
    """Return the key that is written so (type and base64), None if it is of no use. Raises nothing."""
    raw = base64.b64decode(public)
    try:
        if kind == "ed25519":
            return Key(kind, ed25519.Ed25519PublicKey.from_public_bytes(raw), raw)
        if kind.endswith("-x509"):
            return _certified(kind.removesuffix("-x509"), raw)
        return _bare(kind, load_der_public_key(raw))
    except Exception:
        # ValueError, UnsupportedAlgorithm, DuplicateExtension, …: whatever a parser of hostile bytes raises,
        # the key cannot be used.
        return None


def canonical_id(kind: str, public: str) -> str:
    """Return the id by which notary's ``key list`` and ``delegation list`` show a key; empty if unusable.

    For one in a certificate that is the id that the key would have without it; for another it is its own.
    """
    key = load(kind, public)
    return "" if key is None else key.canonical_id


def is_made_out_to(key: Key, gun: str) -> bool:
    """Tell whether a key is in a certificate for this repository, as those of a root must be."""
    name = key.common_name
    if name is None:
        return False
    return gun.startswith(name.rstrip("*")) if name.endswith("*") else name == gun


def _bare(kind: str, public: object) -> Key | None:
    if not _fits(public, kind):
        return None
    return Key(kind, public, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _fits(public: object, kind: str) -> TypeGuard[rsa.RSAPublicKey | ec.EllipticCurvePublicKey]:
    if isinstance(public, ec.EllipticCurvePublicKey):
        return kind == "ecdsa" and isinstance(public.curve, _CURVES)
    if not isinstance(public, rsa.RSAPublicKey):
        return False
    smallest, largest = RSA_BITS
    sized = smallest <= public.key_size <= largest
    return kind == "rsa" and sized and public.public_numbers().e < _LARGEST_EXPONENT


def _certified(kind: str, raw: bytes) -> Key | None:
    chain = x509.load_pem_x509_certificates(raw)
    leaf = chain[0]
    key = _bare(kind, leaf.public_key())
    if key is None or isinstance(leaf.signature_hash_algorithm, SHA1):
        return None
    leaves = [each for each in chain if not _is_authority(each)]
    name = _common_name(leaf) if leaves == [leaf] else None
    return Key(key.kind, key.public, key.identity, name, leaf.not_valid_after_utc)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _common_name(certificate: x509.Certificate) -> str | None:
    # Go takes the last one.
    names = [each.value for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    return str(names[-1]) if names else None
