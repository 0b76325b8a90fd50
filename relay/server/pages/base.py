"""What the pages have in common: who looks, what a form says, and saying no inside of the frame."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from pydantic import BaseModel

from relay.model.access import Principal, Scope
from relay.model.errors import RelayError, StoreError
from relay.model.text import storable_tree
from relay.server.access import form, form_token, require
from relay.server.api.operation import Call, Nothing
from relay.server.api.orders import carry_out
from relay.server.api.problems import checked, status_of
from relay.server.refused import RefusedError
from relay.server.service import Service

NAVIGATION: Final = (
    ("/", "Overview"),
    ("/alerts", "Alerts"),
    ("/events", "Events"),
    ("/deliveries", "Deliveries"),
    ("/channels", "Channels"),
    ("/silences", "Silences"),
    ("/repositories", "Repositories"),
    ("/rules", "Rules"),
    ("/playground", "Playground"),
    ("/journal", "Journal"),
    ("/api", "API"),
)
"""The pages that every page leads to."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody in front of a page, with what the answer works with."""

    request: web.Request
    service: Service
    who: Principal

    @property
    def operates(self) -> bool:
        """Whether they may do more than look."""
        return self.who.scope.includes(Scope.OPERATE)

    def path(self, name: str) -> str:
        """Return a part of the address."""
        found: str = storable_tree(self.request.match_info[name])
        return found

    def given(self, name: str) -> str:
        """Return a value of the query, without the blanks around it; empty if there is none."""
        return self.query().get(name, "")

    def query(self) -> dict[str, str]:
        """Return what the query says: of each name the first value, without those that are empty."""
        found: dict[str, str] = {}
        for name, value in self.request.query.items():
            if value.strip():
                found.setdefault(name, storable_tree(value.strip()))
        return found

    def wanted(self, model: type[M], **given: object) -> M:
        """Return what the query says of the fields of a model, and what is given. Raises RefusedError."""
        said = {name: value for name, value in self.query().items() if name in model.model_fields}
        return checked(model, {**said, **given})

    def call(self, query: Any = None, body: Any = None, **path: str) -> Call[Any, Any]:
        """Return the same request as the API would have it."""
        return Call(self.service, self.who, path, Nothing() if query is None else query, body)

    async def carry_out(self, order: str, **given: Any) -> Any:
        """Carry out an order, as the API does. Raises RefusedError and RelayError."""
        return await carry_out(self.call(), order, **given)

    async def form(self) -> dict[str, str]:
        """Return the fields of the form. Raises RefusedError for what is no form."""
        found: dict[str, str] = storable_tree(await form(self.request))
        return found

    def page(self, name: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> web.Response:
        """Return a page inside of the frame."""
        text = self.service.pages.render(
            name,
            who=self.who,
            operates=self.operates,
            csrf=form_token(self.request),
            navigation=NAVIGATION,
            here=self.request.path,
            place=self.place,
            query_value=self.given,
            **values,
        )
        return web.Response(text=text, content_type="text/html", status=status)

    def place(self, **changes: object) -> str:
        """Return the address of this page with other values in its query; None takes one away."""
        said = {**self.query(), **changes}
        left = {name: str(value) for name, value in said.items() if value not in (None, "")}
        return self.request.path + (f"?{urlencode(left)}" if left else "")


Show = Callable[[Visitor], Awaitable[web.Response]]


def page(
    service: Callable[[], Service], show: Show, scope: Scope = Scope.READ
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return what answers requests for a page. It raises RefusedError for who may not, and StoreError."""

    async def handle(request: web.Request) -> web.Response:
        found = service()
        visitor = Visitor(request, found, await found.access.principal(request))
        try:
            require(visitor.who, scope)
            return await show(visitor)
        except RefusedError as refused:
            return refusal(visitor, refused)
        except StoreError:
            raise
        except RelayError as error:
            status = status_of(error)
            return refusal(visitor, RefusedError(status, _sentence(str(error))))

    return handle


def refusal(visitor: Visitor, refused: RefusedError) -> web.Response:
    """Return the page that says no, inside of the frame."""
    response = visitor.page("refusal", refused.status, refused=refused)
    response.headers.update(refused.headers)
    return response


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def lead_to(path: str, **query: object) -> web.Response:
    """Return what leads on after a form: loading that page again sends nothing again."""
    said = f"?{urlencode(query)}" if query else ""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path + said})
