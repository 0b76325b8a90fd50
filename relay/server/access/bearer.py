"""Secrets that a request bears in its header ``Authorization`` (RFC 6750)."""

import hashlib

from aiohttp import web


def bearer(request: web.Request) -> str | None:
    """Return the secret that a request bears, None if it bears none."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return (given.strip() or None) if scheme.lower() == "bearer" else None


def digest(secret: str) -> bytes:
    """Return what is compared of a secret: of one length, so that comparing does not tell its length."""
    return hashlib.sha256(secret.encode(errors="backslashreplace")).digest()
