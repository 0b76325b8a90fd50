"""From where a request came, and what it was sent to."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from relay.server.refused import RefusedError
from relay.settings.server import Address, Network, ServerSettings, address, is_loopback

_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def peer(request: web.Request) -> Address | None:
    """Return the address that the connection comes from, None if it is gone or no IP connection."""
    return _end(request, "peername")


def within(found: Address | None, networks: Iterable[Network]) -> bool:
    """Tell whether an address lies in one of the networks."""
    return found is not None and any(found in each for each in networks)


def on_loopback(request: web.Request) -> bool:
    """Tell whether the connection never leaves this machine.

    What the settings say does not count here: a change of ``server.listen`` counts only after a restart.
    """
    ends = (_end(request, "peername"), _end(request, "sockname"))
    return all(each is not None and each.is_loopback for each in ends)


def forwarded(request: web.Request) -> bool:
    """Tell whether a proxy says that it passes on what somebody else has sent."""
    return any(name in request.headers for name in _FORWARDED)


def named_here(request: web.Request) -> bool:
    """Tell whether a request was sent to a name of this very machine."""
    host = _host_name(f"//{request.host}")
    return host is not None and is_loopback(host)


def refuse_other_hosts(request: web.Request, server: ServerSettings, *, loopback: bool = False) -> None:
    """Raise RefusedError for a request that was sent to a name that is not ours.

    A page of another site can have its own name lead to our address (DNS rebinding); its scripts then read
    our answers, as far as we let in whoever comes. They cannot do so under an address or a name of ours.
    ``loopback``: only names of this very machine are ours.
    """
    host = _host_name(f"//{request.host}")
    if host is not None and is_loopback(host):
        return
    ours = {_host_name(server.public_url or ""), _host_name(f"//{server.listen}")} - {None}
    if not loopback and host is not None and (host in ours or address(host) is not None):
        return
    raise RefusedError(
        HTTPStatus.MISDIRECTED_REQUEST,
        "The relay is not known by this name.",
        "Set server.public_url to the URL by which people reach it; a proxy in front has to pass on the Host "
        "header. Whoever sends a token in the header Authorization may use any name.",
    )


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _end(request: web.Request, name: str) -> Address | None:
    transport = request.transport
    found = None if transport is None else transport.get_extra_info(name)
    return address(str(found[0])) if isinstance(found, tuple) and found else None
