"""``/login`` and ``/logout``: a token is pasted once, and a cookie stands for it from then on."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlsplit

import structlog
from aiohttp import web

from relay.model.access import Via
from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.server.access import places
from relay.server.access.forms import form
from relay.server.access.gate import REALM, Access, Entrance
from relay.server.access.sessions import drop_cookie, set_cookie
from relay.server.bodies import refuse_other_sites
from relay.server.refused import RefusedError
from relay.server.service import Service
from relay.settings import ServerSettings
from relay.store import Deed

_log = structlog.get_logger("relay.server")

LOGIN: Final = "/login"
LOGOUT: Final = "/logout"
HOME: Final = "/"
_LONGEST: Final = 2000
_PATH: Final = re.compile(r"/(?![/\\])[!#-;=?-\[\]-~]*")
"""A path of ours with its query: ASCII that may stand there, no backslash: browsers take it for a slash."""


class LoginPages:
    """The page to log in, and what logs out."""

    def __init__(self, service: Callable[[], Service], clock: Clock) -> None:
        self._service = service
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return what is to be routed here."""
        return [
            web.get(LOGIN, self.show),
            web.post(LOGIN, self.log_in),
            web.post(LOGOUT, self.log_out),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Show the form. Raises RefusedError for a host that is not ours."""
        service = self._service()
        places.refuse_other_hosts(request, service.settings.server)
        return self._page(service, own_path(request.query.get("next", "")))

    async def log_in(self, request: web.Request) -> web.Response:
        """Begin a session for a token, and lead on. Raises RefusedError, or StoreError."""
        service = self._service()
        server, access = service.settings.server, service.access
        places.refuse_other_hosts(request, server)
        refuse_other_sites(request, server.public_url)
        fields = await form(request)
        path = own_path(fields.get("next", ""))
        found = await _entrance(access, fields.get("token", "").strip())
        if found is None:
            return self._page(service, path, wrong=True)
        came_from = places.peer(request)
        note = "" if came_from is None else f"from {came_from}"
        token = found.holder.partition(" ")[0]
        await service.operator.store.record(Deed(self._clock.now(), found.name, "login", token, note))
        _log.info("logged in", who=found.name, peer=str(came_from))
        response = _lead_to(path)
        set_cookie(
            response,
            access.sessions.begin(found.holder),
            server.session_expires,
            secure=_by_https(request, server),
        )
        return response

    async def log_out(self, request: web.Request) -> web.Response:
        """End the session, whether or not it still holds. Raises RefusedError for another site's form."""
        service = self._service()
        try:
            who = await service.access.principal(request)
        except RefusedError as refused:
            if refused.status is not HTTPStatus.UNAUTHORIZED:
                raise
        else:
            if who.via is Via.SESSION:
                await self._note_logout(service, who.name)
        response = _lead_to(LOGIN)
        drop_cookie(response, secure=_by_https(request, service.settings.server))
        return response

    async def _note_logout(self, service: Service, name: str) -> None:
        try:
            await service.operator.store.record(Deed(self._clock.now(), name, "logout", "session"))
        except StoreError as error:
            # Nobody stays logged in because that could not be written.
            _log.error("a logout could not be written down", who=name, error=str(error))

    def _page(self, service: Service, path: str, *, wrong: bool = False) -> web.Response:
        text = service.pages.render("login", next=path, wrong=wrong)
        response = web.Response(text=text, content_type="text/html")
        if wrong:
            response.set_status(HTTPStatus.UNAUTHORIZED)
            response.headers["WWW-Authenticate"] = REALM
        return response


async def _entrance(access: Access, secret: str) -> Entrance | None:
    """Return what a secret lets in by, None for a wrong one. Raises RefusedError for too many guesses."""
    if not secret:
        return None
    try:
        return await access.entrance(secret)
    except RefusedError as refused:
        if refused.status is HTTPStatus.UNAUTHORIZED:
            return None
        raise


def own_path(given: str) -> str:
    """Return where to lead somebody who has logged in: to a page of ours, whatever a link says."""
    if len(given) > _LONGEST or not _PATH.fullmatch(given):
        return HOME
    return HOME if given.partition("?")[0] in (LOGIN, LOGOUT) else given


def to_login(request: web.Request, refused: RefusedError) -> web.Response | None:
    """Return what leads a person who has to log in to where that is done; None for programs, and other cases.

    A script of ours that asks for part of a page gets ``HX-Redirect`` (htmx), by which the whole page goes.
    """
    if refused.status is not HTTPStatus.UNAUTHORIZED or request.path == LOGIN:
        return None
    if request.headers.get("HX-Request") == "true":
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        path = own_path(shown.path + (f"?{shown.query}" if shown.query else ""))
        # Not a status of redirection: those the browser follows by itself, and htmx would see the page only.
        return web.Response(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": _login(path)})
    if request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", ""):
        return _lead_to(_login(own_path(request.rel_url.raw_path_qs)))
    return None


def _login(path: str) -> str:
    return LOGIN if path == HOME else f"{LOGIN}?next={quote(path, safe='/')}"


def _lead_to(path: str) -> web.Response:
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path})


def _by_https(request: web.Request, server: ServerSettings) -> bool:
    """Tell whether a cookie is to come back over https only."""
    proxy = server.trusted_proxy
    told = proxy is not None and places.within(places.peer(request), proxy.networks)
    return (
        request.secure
        or (server.public_url or "").startswith("https://")
        or (told and request.headers.get("X-Forwarded-Proto", "") == "https")
    )
