"""Saying no to programs: RFC 9457."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from relay.config.wording import message
from relay.engine.operate import AmbiguousError, OrderError
from relay.model.errors import NotFoundError, RelayError
from relay.server import refused
from relay.server.refused import RefusedError

CONTENT_TYPE: Final = "application/problem+json"
_STATUSES: Final[Mapping[type[RelayError], HTTPStatus]] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    AmbiguousError: HTTPStatus.CONFLICT,
    OrderError: HTTPStatus.UNPROCESSABLE_ENTITY,
}

M = TypeVar("M", bound=BaseModel)


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="the field's name; of the body, or of the query")
    message: str


class Problem(BaseModel):
    """Why a request is not served (RFC 9457)."""

    type: str = Field("about:blank", description="always about:blank: the status says of which kind it is")
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="what is wrong, and what would help; for a person")
    errors: list[FieldProblem] | None = Field(None, description="what is wrong with each field")


def problem(found: RefusedError) -> web.Response:
    """Return a refusal as RFC 9457 has it."""
    document = Problem(
        title=found.status.phrase,
        status=int(found.status),
        detail=str(found),
        errors=[FieldProblem(field=each.name, message=each.message) for each in found.fields] or None,
    )
    return web.json_response(
        text=document.model_dump_json(exclude_none=True),
        status=found.status,
        headers=dict(found.headers),
        content_type=CONTENT_TYPE,
    )


def invalid(fields: Sequence[refused.Field]) -> RefusedError:
    """Return the refusal of values that cannot be used."""
    told = "; ".join(f"{each.name}: {each.message}" for each in fields)
    return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "This cannot be used.", f"{told}.", fields=fields)


def fields(error: ValidationError) -> list[refused.Field]:
    """Return what pydantic found wrong, without the values, which may be secret."""
    return [
        refused.Field(_place(each["loc"]), message(each["type"], each.get("ctx", {}), (), each["msg"]))
        for each in error.errors(include_input=False, include_url=False)
    ]


def _place(loc: tuple[int | str, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return text.lstrip(".") or "body"


def checked(model: type[M], given: Mapping[str, Any]) -> M:
    """Return what is given as a model. Raises RefusedError."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid(fields(error)) from None


def status_of(error: RelayError) -> HTTPStatus:
    """Return how an order is answered that cannot be carried out."""
    return _STATUSES.get(type(error), HTTPStatus.CONFLICT)


def bad_request(title: str, advice: str = "") -> RefusedError:
    """Return the refusal of what is no request of this API."""
    return RefusedError(HTTPStatus.BAD_REQUEST, title, advice)
