"""Every way in which MSR can refuse or fail, as a few types whose messages tell an operator what to do."""

# ruff: noqa: N818 - the names say what is wrong, as in "clusters[prod]: unreachable"; their base is an Error.

from datetime import datetime

from relay.model.errors import Exit, RelayError


class MsrError(RelayError):
    """MSR could not be read."""


class Unreachable(MsrError):
    """No answer: name resolution, connection, TLS, proxy or time-out. The message says which."""

    exit = Exit.UNREACHABLE


class Unwell(MsrError):
    """MSR, or the nginx before it, answered that it is in trouble (any 5xx)."""

    def __init__(self, message: str, *, internal: bool) -> None:
        super().__init__(message)
        self.internal = internal
        """Whether it is an internal server error: what an MSR without quorum answers to every request."""


class Throttled(MsrError):
    """MSR asks for fewer requests (429)."""

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds to wait, if MSR said."""


class PasswordRefused(MsrError):
    """MSR refused user and password, now or a while ago: no request with them goes out before `until`."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class TokenRefused(MsrError):
    """MSR refused a token that it had just issued."""


class NoAccess(MsrError):
    """The user is known but may not read this, or no user is configured."""


class BadAnswer(MsrError):
    """The answer is not what MSR answers: malformed, oversized, of another status, or a redirect."""


class TooLong(BadAnswer):
    """The answer is longer than what was asked for can be."""


class CursorRefused(MsrError):
    """The changefeed's back end cannot read this change id: it was made by another one."""


class NotMsr(MsrError):
    """Something else was recognised behind the URL; the message says what."""
