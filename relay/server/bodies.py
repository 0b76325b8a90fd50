"""Reading what is sent: only so much, only of the kind that is expected, and only from our own pages."""

import asyncio
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from relay.server.refused import RefusedError

_SECONDS: Final = 10.0
"""How long a body may take to arrive."""
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


async def read_body(request: web.Request, content_type: str | None, limit: int) -> bytes:
    """Return the body. Raises RefusedError if it is of another type, over ``limit`` bytes, or slow.

    ``content_type`` None is for what is known not to come from a browser: any will do.
    """
    other = content_type is not None and request.content_type != content_type
    if other or "Content-Encoding" in request.headers:
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"This takes nothing but {content_type or 'JSON'}, not compressed.",
        )
    if (request.content_length or 0) > limit:
        raise _too_long(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    raise _too_long(limit)
    except TimeoutError:
        raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.") from None
    except (web.RequestPayloadError, OSError):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "The request did not arrive whole.") from None
    return bytes(body)


def _too_long(limit: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This is too long.", f"It may have {limit // 1024} KiB."
    )


def refuse_other_sites(request: web.Request, public_url: str | None) -> None:
    """Raise RefusedError for a form that another site has sent.

    Our pages send no referrer, and to browsers that means ``Origin: null`` too (Fetch standard, "append a
    request Origin header"), so null says nothing; ``Sec-Fetch-Site`` then does, where the browser sends it:
    over https and to the machine itself. What protects links is their token, which no other site knows.
    """
    origin = request.headers.get("Origin", "null")
    site = request.headers.get("Sec-Fetch-Site", "none")
    ours = {_host(f"{scheme}://{request.host}") for scheme in _DEFAULT_PORTS} | {_host(public_url or "")}
    if site not in ("same-origin", "none") or (origin != "null" and _host(origin) not in ours - {None}):
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            "This form was sent by another site.",
            "Open the page itself, by the link from the message if there was one, and use the form there.",
        )


def _host(url: str) -> tuple[str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.hostname is None:
        return None
    return parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme)
