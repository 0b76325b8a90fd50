"""SSL contexts, shared: a default one costs 0.83 MiB and 20 ms, one of a single authority next to nothing."""

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from relay.http.errors import HttpError, Reason
from relay.http.route import Route
from relay.model.clock import Clock

_RECHECK = 10.0
"""Seconds after which a route's files are looked at again: certificates are renewed under a running relay."""


@dataclass(slots=True)
class _Known:
    context: ssl.SSLContext
    stamp: tuple[tuple[int, int, int], ...]
    checked: float


class Contexts:
    """Hands out the SSL context of a route: one per distinct content of its files."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_route: dict[Route, _Known] = {}
        self._by_content: WeakValueDictionary[bytes, ssl.SSLContext] = WeakValueDictionary()

    def of(self, route: Route) -> ssl.SSLContext | bool:
        """The context of a route, or True or False for aiohttp's own two (the system's authorities, none).

        Raises HttpError (tls) that names the file, when one cannot be read or used.
        """
        if route.client_cert is None and (route.ca_file is None or not route.verify):
            return route.verify
        now = self._clock.monotonic()
        known = self._by_route.get(route)
        if known is not None and now - known.checked < _RECHECK:
            return known.context
        stamp = tuple(_stamp(file) for file in _files(route))
        if known is None or known.stamp != stamp:
            known = self._by_route[route] = _Known(self._load(route), stamp, now)
        known.checked = now
        return known.context

    def _load(self, route: Route) -> ssl.SSLContext:
        digest = hashlib.sha256(repr((route.verify, route.ca_file is None)).encode())
        for file in _files(route):
            digest.update(hashlib.sha256(_read(file)).digest())
        key = digest.digest()
        context = self._by_content.get(key)
        if context is None:
            context = self._by_content[key] = _context(route)
        return context


def _files(route: Route) -> list[Path]:
    return [file for file in (route.ca_file, route.client_cert, route.client_key) if file is not None]


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        status = file.stat()
    except OSError as error:
        raise _unusable(file, error) from None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unusable(file, error) from None


def _unusable(file: Path, error: OSError) -> HttpError:
    return HttpError(Reason.TLS, f"{file}: cannot be read ({error.strerror}): check its path and permissions")


def _context(route: Route) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if not route.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif route.ca_file is None:
        context.load_default_certs()
    else:
        _trust(context, route.ca_file)
    if route.client_cert is not None:
        _show(context, route.client_cert, route.client_key)
    return context


def _trust(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError:
        raise HttpError(
            Reason.TLS, f"{ca_file}: holds no certificates in PEM form: give a PEM file as ca_file"
        ) from None


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        # Without a password here OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError):
        text = f"{certificate}, {key or 'no client_key'}: no matching pair of certificate and unencrypted key"
        raise HttpError(Reason.TLS, f"{text}: check client_cert and client_key") from None
