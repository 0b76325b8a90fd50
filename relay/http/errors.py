"""Why no answer came, in words that say what to do next."""

import os
import ssl
from enum import StrEnum

import aiohttp

from relay.http.guard import BLOCKED
from relay.model.errors import Exit, RelayError


class Reason(StrEnum):
    """Why no answer came."""

    DNS = "dns"
    """The host name does not resolve."""
    CONNECT = "connect"
    """Nothing accepts connections there."""
    TLS = "tls"
    """TLS failed, or a certificate or key of ours cannot be used."""
    TIMEOUT = "timeout"
    """No whole answer within the time given. The request may have arrived."""
    DROPPED = "dropped"
    """The connection broke. The request may have arrived."""
    TOO_LARGE = "too_large"
    """The answer is longer than allowed. The request has arrived."""
    BLOCKED = "blocked"
    """The address is private and the route does not allow that."""
    PROXY = "proxy"
    """The proxy cannot be reached or refused."""
    INVALID = "invalid"
    """The request cannot be made as given, or the answer is not HTTP."""


class HttpError(RelayError):
    """No usable answer. The message names `scheme://host:port` and the next step, and holds no secret."""

    exit = Exit.UNREACHABLE

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Dropped(aiohttp.ClientError):
    """Stands in for aiohttp's own errors of a broken connection, which it takes as leave to send again."""


def explain(error: Exception, where: str, timeout: float) -> HttpError:
    """The error that a failed request to `where` (an origin) ends with; `timeout` is in seconds."""
    reason, text = _classify(error, timeout)
    if reason is Reason.DROPPED and where.startswith("https:"):
        # In TLS 1.3 the refusal comes after the handshake, and asyncio then reports a mere end of file.
        text += " (a TLS server that misses a client certificate does this too)"
    return HttpError(reason, f"{where}: {text}")


def _classify(error: Exception, timeout: float) -> tuple[Reason, str]:
    if (tls := _tls_error(error)) is not None:
        return Reason.TLS, _tls_text(tls)
    match error:
        case TimeoutError():
            return (
                Reason.TIMEOUT,
                f"no whole answer within {timeout:g} s: check that it is well, or raise the timeout",
            )
        case aiohttp.ClientProxyConnectionError():
            return Reason.PROXY, "the proxy cannot be reached: check its address and that it runs"
        case aiohttp.ClientHttpProxyError(status=407):
            return Reason.PROXY, "the proxy wants a user and a password: put them into the proxy's URL"
        case aiohttp.ClientHttpProxyError(status=status):
            return Reason.PROXY, f"the proxy refused to connect (status {status}): ask whoever runs it"
        case aiohttp.ClientConnectorDNSError():
            return Reason.DNS, "the host name does not resolve: check its spelling and the name servers"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=errno)) if errno == BLOCKED:
            return Reason.BLOCKED, blocked_text()
        case aiohttp.ClientConnectorError(os_error=cause):
            return Reason.CONNECT, f"cannot connect ({_os_text(cause)}): check host, port and firewall"
        case (
            Dropped()
            | aiohttp.ServerDisconnectedError()
            | aiohttp.ClientPayloadError()
            | aiohttp.ClientOSError()
        ):
            return (
                Reason.DROPPED,
                "the connection broke before the whole answer was there: check the server's log",
            )
        case aiohttp.ClientResponseError():
            return Reason.INVALID, "what answers there does not speak HTTP: check scheme and port"
        case aiohttp.ClientConnectionError() | OSError():
            return Reason.CONNECT, "cannot connect: check host, port and firewall"
        case _:
            return (
                Reason.INVALID,
                "no request can be made of this URL, method and headers: check their spelling",
            )


def blocked_text() -> str:
    """What a request to a private address is told."""
    return (
        "this is a private, loopback, link-local or reserved address, which is not allowed here: "
        "use a public one, or set `allow_private: true` if it is meant"
    )


def _os_text(error: OSError) -> str:
    # Its own text would list every address that was tried.
    return os.strerror(error.errno).lower() if error.errno else "no reason given"


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None:
        # aiohttp's own TLS errors are SSLErrors too, but empty ones.
        if isinstance(error, ssl.SSLError) and not isinstance(error, aiohttp.ClientError):
            return error
        error = error.__cause__
    return None


_UNKNOWN_AUTHORITY = {18, 19, 20, 21}
_WRONG_NAME = {62, 64}
_NOT_YET_VALID, _EXPIRED = 9, 10


def _tls_text(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_text(error)
    name = (error.reason or "").upper()
    if name in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL"}:
        return "it does not speak TLS on this port: use http://, or its TLS port"
    if "CERTIFICATE_REQUIRED" in name or "HANDSHAKE_FAILURE" in name:
        return "it ended the TLS handshake: it may want a client certificate (set client_cert and client_key)"
    if "ALERT" in name and ("CERTIFICATE" in name or "UNKNOWN_CA" in name):
        return "it refused our client certificate: check client_cert, client_key, and whom it trusts"
    return f"TLS failed ({name.lower().replace('_', ' ') or 'no reason given'}): check its TLS set-up"


def _certificate_text(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code in _UNKNOWN_AUTHORITY:
        return "its certificate comes from an authority unknown here: set ca_file to that one's certificate"
    if code == _EXPIRED:
        return "its certificate has expired: renew it on the server (and check this machine's clock)"
    if code == _NOT_YET_VALID:
        return "its certificate is not valid yet: check this machine's clock and the server's"
    if code in _WRONG_NAME:
        return (
            "its certificate is for another host name: use the name that the certificate holds, or replace it"
        )
    return f"its certificate is not accepted ({error.verify_message}): replace it, or set ca_file"
