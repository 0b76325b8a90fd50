"""Signatures of webhooks by Standard Webhooks 1.0 (standardwebhooks.com).

`v1` is HMAC-SHA256 with a secret that both sides hold; `v1a` is ed25519, so that receivers hold a public key
only. Signed is `id.timestamp.body`, the exact bytes sent.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Signer = Callable[[str, datetime, str], str]
"""Takes id, time of the attempt and body; returns `v1,…` or `v1a,…`."""

_SHARED: Final = "whsec_"
_PRIVATE: Final = "whsk_"
PUBLIC: Final = "whpk_"
"""What a public ed25519 key begins with."""
_SEED: Final = 32


def symmetric(secret: str) -> Signer:
    """A signer for `whsec_` and base64 of 24 to 64 bytes; the prefix may be left out.

    Raises ValueError, without the secret in it, for anything else.
    """
    if secret.startswith((_PRIVATE, PUBLIC)):
        raise ValueError("this is an ed25519 key: it belongs under `signing_key`, not under `secrets`")
    size = len(decode(secret.removeprefix(_SHARED), "`whsec_` and base64"))
    if not 24 <= size <= 64:
        raise ValueError(
            f"a secret is 24 to 64 bytes in base64, this one decodes to {size}: "
            'make one with: echo "whsec_$(openssl rand -base64 32)"'
        )
    webhook = Webhook(secret)

    def sign(message_id: str, at: datetime, body: str) -> str:
        signature: str = webhook.sign(message_id, at, body)
        return signature

    return sign


def asymmetric(key: str) -> Signer:
    """A signer for `whsk_` and base64 of an ed25519 seed (32 bytes), alone or with its public key (64 bytes).

    Raises ValueError, without the key in it, for anything else.
    """
    private = private_key(key)

    def sign(message_id: str, at: datetime, body: str) -> str:
        signed = private.sign(f"{message_id}.{int(at.timestamp())}.{body}".encode())
        return f"v1a,{base64.b64encode(signed).decode()}"

    return sign


def private_key(key: str) -> "Ed25519PrivateKey":
    """The private key of `whsk_` and base64. Raises ValueError, without the key in it, for anything else."""
    # 8 MiB that only those have to pay who sign so.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if key.startswith(PUBLIC):
        raise ValueError("this is a public key, for receivers: signing needs the private one, `whsk_…`")
    if not key.startswith(_PRIVATE):
        raise ValueError("a signing key is `whsk_` and base64 of an ed25519 key, shared ones are `secrets`")
    raw = decode(key.removeprefix(_PRIVATE), "`whsk_` and base64")
    if len(raw) not in {_SEED, 2 * _SEED}:
        raise ValueError(
            f"an ed25519 key is 32 bytes, or 64 with its public key; this one decodes to {len(raw)}"
        )
    private = Ed25519PrivateKey.from_private_bytes(raw[:_SEED])
    if raw[_SEED:] not in {b"", private.public_key().public_bytes_raw()}:
        raise ValueError("the second half of this ed25519 key is not the public key of its first half")
    return private


def headers(signers: Iterable[Signer], message_id: str, at: datetime, body: str) -> dict[str, str]:
    """The Standard Webhooks headers of one attempt; no signature header without signers."""
    found = {"webhook-id": message_id, "webhook-timestamp": str(int(at.timestamp()))}
    if signatures := " ".join(sign(message_id, at, body) for sign in signers):
        found["webhook-signature"] = signatures
    return found


def decode(text: str, form: str) -> bytes:
    """The bytes of base64, with or without padding. Raises ValueError, which names the form, for all else."""
    # Python's base64 skips what it does not know, so that a typing error would sign with another key.
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"not of the form {form}") from None
