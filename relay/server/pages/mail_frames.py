"""Mails to look at: each at an address of its own for a while, under a policy of its own.

A mail brings its own styles, which no page of the relay may have; and inside of a page it would come under
the page's policy. So it is a document of its own, in a frame without rights: no scripts, no forms, nothing
loaded.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from relay.model.access import Scope
from relay.server.pages.base import Visitor, page
from relay.server.refused import RefusedError
from relay.server.service import Service

ROOT: Final = "/playground/mail/"
POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""The Content-Security-Policy of a mail: its styles, and links that open elsewhere; nothing else."""
MOST: Final = 32
SECONDS: Final = 600.0
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class _Mail:
    html: str
    owner: str
    until: float


class MailFrames:
    """Mails that were previewed lately: so many at the most, the oldest goes first."""

    def __init__(self, service: Callable[[], Service]) -> None:
        self._service = service
        self._mails: OrderedDict[str, _Mail] = OrderedDict()

    def add(self, visitor: Visitor, html: str) -> str:
        """Keep a mail for whoever looks, and return its address."""
        until = visitor.service.operator.clock.monotonic() + SECONDS
        id = visitor.service.random_bytes(_ID_BYTES).hex()
        self._mails[id] = _Mail(html, visitor.who.name, until)
        while len(self._mails) > MOST:
            self._mails.popitem(last=False)
        return ROOT + id

    def routes(self) -> list[web.RouteDef]:
        """Return what is to be routed here."""
        return [web.get(ROOT + "{mail}", page(self._service, self.show, Scope.READ))]

    async def show(self, visitor: Visitor) -> web.Response:
        """Show a mail to whoever previewed it. Raises RefusedError for one that is not there any more."""
        mail = self._mails.get(visitor.path("mail"))
        now = visitor.service.operator.clock.monotonic()
        if mail is None or mail.until < now or mail.owner != visitor.who.name:
            raise RefusedError(HTTPStatus.NOT_FOUND, "This preview is over.", "Make it again.")
        headers = {"Content-Security-Policy": POLICY}
        return web.Response(text=mail.html, content_type="text/html", headers=headers)
