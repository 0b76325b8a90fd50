"""Forms of our own pages: reading them, and telling them from those that another site has made up."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from relay.server.bodies import read_body, refuse_other_sites
from relay.server.refused import RefusedError

FORM: Final = "application/x-www-form-urlencoded"
TOKEN_FIELD: Final = "csrf"  # noqa: S105 - it is no secret
"""The field of a form that holds its token."""
TOKEN_HEADER: Final = "X-CSRF-Token"  # noqa: S105 - it is no secret
"""The header in which scripts of ours send it."""
_BYTES: Final = 256 * 1024
_FIELDS: Final = 300
"""More than there are deliveries on a page, each with a box to tick."""


@dataclass(frozen=True, slots=True)
class _Form:
    fields: Mapping[str, str]


_READ: Final = web.RequestKey("form", _Form)


async def form(request: web.Request) -> dict[str, str]:
    """Return the fields of a form, of each the first value. Raises RefusedError for what is no form."""
    if _READ not in request:
        request[_READ] = _Form(fields_of(await read_body(request, FORM, _BYTES)))
    return dict(request[_READ].fields)


def fields_of(body: bytes) -> dict[str, str]:
    """Return the fields of a form, of each the first value. Raises RefusedError for what is no form."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "This is not what the form on the page sends.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


async def given_token(request: web.Request) -> str | None:
    """Return the token of a form as the request bears it: in a header, or as a field. Raises RefusedError."""
    given = request.headers.get(TOKEN_HEADER)
    if given is None and request.content_type == FORM:
        given = (await form(request)).get(TOKEN_FIELD)
    return given


async def refuse_forged(request: web.Request, public_url: str | None, token: str) -> None:
    """Raise RefusedError unless the request was made by a page of ours, for whoever sends it."""
    refuse_other_sites(request, public_url)
    given = await given_token(request) or ""
    if not hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode()):
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            "This was not sent by a page of the relay, or the page was open for too long.",
            "Load the page again, and send it from there. Programs send Authorization: Bearer TOKEN instead.",
        )
