"""Saying no to programs: RFC 9457."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from relay.config.wording import message
from relay.server import refused
from relay.server.refused import RefusedError

CONTENT_TYPE: Final = "application/problem+json"


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


def invalid(
    fields: Sequence[refused.Field], status: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY
) -> RefusedError:
    """Return the refusal of values that cannot be used."""
    told = "; ".join(f"{each.name}: {each.message}" for each in fields)
    return RefusedError(status, "This cannot be used.", f"{told}.", fields=fields)


def fields(error: ValidationError) -> list[refused.Field]:
    """Return what pydantic found wrong, without the values, which may be secret."""
    return [
        refused.Field(_place(each["loc"]), message(each["type"], each.get("ctx", {}), (), each["msg"]))
        for each in error.errors(include_input=False, include_url=False)
    ]


def _place(loc: tuple[int | str, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return text.lstrip(".") or "body"


def bad_request(title: str, advice: str = "", **options: Any) -> RefusedError:
    """Return the refusal of what is no request of this API."""
    return RefusedError(HTTPStatus.BAD_REQUEST, title, advice, **options)
