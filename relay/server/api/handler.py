"""From a request to an operation and back: who asks, what they say, and the answer in JSON."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from relay.model.access import Principal
from relay.model.errors import RelayError, StoreError
from relay.model.text import storable_tree
from relay.server.access import require
from relay.server.api.idempotency import HEADER, Once
from relay.server.api.operation import Call, Operation
from relay.server.api.problems import bad_request, checked, problem, status_of
from relay.server.bodies import read_body
from relay.server.refused import RefusedError
from relay.server.service import Service
from relay.server.turns import Turns

ROOT: Final = "/api/v1"
BODY_BYTES: Final = 256 * 1024

Handle = Callable[[web.Request], Awaitable[web.Response]]


def handler(operation: Operation, service: Callable[[], Service], turns: Turns) -> Handle:
    """Return what answers requests for an operation. It raises RefusedError and StoreError.

    Those that only read take ``turns``.
    """

    async def handle(request: web.Request) -> web.Response:
        found = service()
        who = await found.access.principal(request)
        require(who, operation.scope)
        sent = await _sent(request, operation)
        if operation.method == "GET":
            key = (who, request.rel_url.raw_path_qs)
            answer = await turns.share(key, lambda: _done(found, who, request, operation, sent))
            return _tagged(request, answer)
        if not operation.writes:
            # In no turn: what is tried out is made by a process of its own, which bounds it by itself.
            return await _answered(found, who, request, operation, sent)
        once = Once.of(request, found.operator.store, found.operator.clock, who, sent)
        if once is not None and operation.secret:
            raise bad_request(
                f"This takes no {HEADER}.", "Its answer holds a secret, which is not kept to be given again."
            )
        if once is None:
            return await _answered(found, who, request, operation, sent)
        return await once.do(lambda: _answer(found, who, request, operation, sent))

    return handle


async def _sent(request: web.Request, operation: Operation) -> bytes:
    if operation.body is None or (_optional(operation.body) and not request.can_read_body):
        return b"" if operation.body is None else b"{}"
    return await read_body(request, "application/json", BODY_BYTES)


def _optional(body: type[BaseModel]) -> bool:
    return not any(field.is_required() for field in body.model_fields.values())


async def _answer(
    service: Service, who: Principal, request: web.Request, operation: Operation, sent: bytes
) -> web.Response:
    """Return the answer, a refusal among them, as it is to be given again."""
    try:
        return await _answered(service, who, request, operation, sent)
    except RefusedError as refused:
        return problem(refused)


async def _answered(
    service: Service, who: Principal, request: web.Request, operation: Operation, sent: bytes
) -> web.Response:
    text = await _done(service, who, request, operation, sent)
    if operation.answer is None:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    return web.json_response(text=text, status=operation.status)


async def _done(
    service: Service, who: Principal, request: web.Request, operation: Operation, sent: bytes
) -> str:
    query = checked(operation.query, _query(request))
    body = None if operation.body is None else checked(operation.body, _object(sent))
    path = {name: _clean(value) for name, value in request.match_info.items()}
    try:
        done = await operation.do(Call(service, who, path, query, body))
    except StoreError:
        raise
    except RelayError as error:
        raise RefusedError(status_of(error), str(error)) from None
    if operation.answer is None:
        return ""
    document = done if isinstance(done, BaseModel) else operation.answer.model_validate(done)
    return document.model_dump_json()


def _clean(value: str) -> str:
    found: str = storable_tree(value)
    return found


def _query(request: web.Request) -> dict[str, Any]:
    """Return the query's values; a name that is given more than once has a list."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(request.query):
        values = [_clean(each) for each in request.query.getall(name)]
        found[name] = values[0] if len(values) == 1 else values
    return found


def _object(sent: bytes) -> dict[str, Any]:
    try:
        body = storable_tree(json.loads(sent, parse_constant=_refuse))
    except (ValueError, RecursionError):
        raise bad_request("The body is no JSON.") from None
    if not isinstance(body, dict):
        raise bad_request("The body must be a JSON object.")
    return body


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _tagged(request: web.Request, text: str) -> web.Response:
    """Return the answer with its entity tag, or that it is what the client has already."""
    tag = hashlib.sha256(text.encode()).hexdigest()[:32]
    known = request.if_none_match or ()
    if any(each.value in (tag, "*") for each in known):
        response = web.Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        response = web.json_response(text=text)
    response.headers["Cache-Control"] = "private, no-cache"
    response.etag = tag
    return response
