"""``/api/v1``: orders over HTTP, for programs. JSON in and out; errors as RFC 9457 has them."""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError

from relay.config.wording import message
from relay.engine.operate import AmbiguousError, OrderError
from relay.engine.orders import ORDERS, silence_document
from relay.model.errors import NotFoundError, RelayError, StoreError
from relay.model.text import storable_tree
from relay.server.bodies import read_body
from relay.server.refused import Field, Guesses, RefusedError
from relay.server.service import Service

ROOT: Final = "/api/v1"
_BODY_BYTES: Final = 64 * 1024
_REALM: Final = 'Bearer realm="msr-relay"'
_STATUSES: Final[Mapping[type[RelayError], HTTPStatus]] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    AmbiguousError: HTTPStatus.CONFLICT,
    OrderError: HTTPStatus.UNPROCESSABLE_ENTITY,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what to work with, the values in its path, and its body."""

    service: Service
    path: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API does. ``path`` is below ``ROOT``; ``do`` returns JSON types."""

    method: str
    path: str
    do: Callable[[Call], Awaitable[Any]]
    status: HTTPStatus = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class _Order:
    """Carries an order out (see ``ORDERS``): its fields are the body's, the path's, and fixed ones."""

    name: str
    fixed: Mapping[str, Any] = field(default_factory=dict)

    async def __call__(self, call: Call) -> Any:
        kind = ORDERS[self.name]
        given = {**call.path, **self.fixed}
        unknown = [Field(name, "unknown key") for name in given if name in call.body]
        try:
            order = kind.model.model_validate({**storable_tree(call.body), **given})
        except ValidationError as error:
            raise _invalid([*unknown, *_fields(error)]) from None
        if unknown:
            raise _invalid(unknown)
        return await kind.do(call.service.operator, order)


async def _unacknowledge(call: Call) -> Any:
    return {"about": await _Order("unacknowledge")(call)}


async def _silences(call: Call) -> Any:
    operator = call.service.operator
    now = operator.clock.now()
    found = [each for each in await operator.store.silences(now) if each.ends_at > now]
    return {"silences": [silence_document(each) for each in found]}


OPERATIONS: Final = (
    Operation("POST", "/acknowledge", _Order("acknowledge", {"via": "api"})),
    Operation("POST", "/unacknowledge", _unacknowledge),
    Operation("GET", "/silences", _silences),
    Operation("POST", "/silences", _Order("silence"), HTTPStatus.CREATED),
    Operation("POST", "/silences/{silence}/expire", _Order("expire")),
)
"""Everything that the API does."""


def api_routes(service: Callable[[], Service], guesses: Guesses) -> list[web.RouteDef]:
    """Return the routes of all operations."""
    return [web.route(each.method, ROOT + each.path, _handler(each, service, guesses)) for each in OPERATIONS]


def _handler(
    operation: Operation, service: Callable[[], Service], guesses: Guesses
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        found = service()
        let_in(request, found, guesses)
        body = await _body(request) if operation.method == "POST" else {}
        try:
            done = await operation.do(Call(found, dict(request.match_info), body))
        except StoreError:
            raise
        except RelayError as error:
            status = _STATUSES.get(type(error), HTTPStatus.CONFLICT)
            raise RefusedError(status, str(error)) from None
        return web.json_response(done, status=operation.status)

    return handle


def let_in(request: web.Request, service: Service, guesses: Guesses) -> None:
    """Raise RefusedError unless the request bears the token."""
    if service.api_token is None:
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            "The API is not enabled.",
            "Set server.api_token, or server.api_token_file, to a secret of at least 16 characters.",
        )
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise RefusedError(
            HTTPStatus.UNAUTHORIZED,
            "A token is missing.",
            "Send the header Authorization: Bearer TOKEN, with server.api_token as TOKEN.",
            headers={"WWW-Authenticate": _REALM},
        )
    if not hmac.compare_digest(_digest(given.strip()), _digest(service.api_token.get_secret_value())):
        guesses.count()
        raise RefusedError(
            HTTPStatus.UNAUTHORIZED,
            "The token is wrong.",
            "It has to be server.api_token.",
            headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
        )


def _digest(token: str) -> bytes:
    # Of one length, so that a comparison does not tell that of the token.
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


async def _body(request: web.Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await read_body(request, "application/json", _BODY_BYTES), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "The body is no JSON.") from None
    if not isinstance(body, dict):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.")
    return body


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _invalid(fields: list[Field]) -> RefusedError:
    told = "; ".join(f"{each.name}: {each.message}" for each in fields)
    return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "This cannot be used.", f"{told}.", fields=fields)


def _fields(error: ValidationError) -> list[Field]:
    return [
        Field(_place(each["loc"]), message(each["type"], each.get("ctx", {}), (), each["msg"]))
        for each in error.errors(include_input=False, include_url=False)
    ]


def _place(loc: tuple[int | str, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return text.lstrip(".") or "body"


def problem(refused: RefusedError) -> web.Response:
    """Return a refusal as RFC 9457 has it, with ``errors``: field and message of each field that is wrong."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": refused.status.phrase,
        "status": int(refused.status),
        "detail": str(refused),
    }
    if refused.fields:
        document["errors"] = [{"field": each.name, "message": each.message} for each in refused.fields]
    return web.json_response(
        document,
        status=refused.status,
        headers=dict(refused.headers),
        content_type="application/problem+json",
    )
