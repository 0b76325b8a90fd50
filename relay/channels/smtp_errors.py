"""What the replies of a mail server mean.

Source: RFC 5321 (replies), RFC 4954 (53x: authentication), RFC 3463 (enhanced codes).
"""

import ssl
from enum import StrEnum
from typing import Final

from relay.channels.errors import Refused, Rejected, Retryable, SendError

_UNAVAILABLE: Final = 421
_TOO_LARGE: Final = 552


class Stage(StrEnum):
    """How far a transaction had come."""

    GREETING = "greeting"
    STARTTLS = "STARTTLS"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    MESSAGE = "message"


_PERMANENT: Final[dict[Stage, tuple[type[SendError], str]]] = {
    Stage.GREETING: (Retryable, "the mail server takes no mail from here"),
    Stage.STARTTLS: (Refused, "the mail server refuses STARTTLS: correct `smtp.tls` and `smtp.port`"),
    Stage.LOGIN: (Refused, "the login is refused: correct `smtp.username` and `smtp.password`"),
    Stage.SENDER: (Refused, "the sender is refused: correct `from`, or let the mail server take it"),
    Stage.RECIPIENT: (Rejected, "the recipient is refused: correct the address"),
    Stage.MESSAGE: (Rejected, "the mail server does not take this mail"),
}


def by_reply(stage: Stage, code: int, said: str) -> SendError:
    """The error that a reply means. `said` is its text as it may be shown."""
    kind: type[SendError]
    if 530 <= code < 540 and stage is not Stage.LOGIN:
        kind, text = Refused, "the mail server wants a login, or refuses it: correct `smtp`"
    elif stage is Stage.SENDER and code == _TOO_LARGE:
        kind, text = _PERMANENT[Stage.MESSAGE]
    elif 500 <= code < 600:
        kind, text = _PERMANENT[stage]
    else:
        kind, text = Retryable, "the mail server cannot take it now"
    return kind(f"{stage} {code}: {text}", status=code, answer=said)


def no_recipient(error: SendError) -> Refused:
    """The error when not one address of a channel is accepted: then no message would go anywhere."""
    text = f"{Stage.RECIPIENT} {error.status}: no recipient is accepted: correct `to`"
    return Refused(text, status=error.status, answer=error.answer)


def by_break(error: BaseException, where: str) -> Retryable:
    """The error that a connection means which was not made, or broke."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            text = (
                f"its certificate is not accepted ({cause.verify_message}): set `smtp.ca_file`, or renew it"
            )
            return Retryable(f"{where}: {text}")
        if isinstance(cause, ssl.SSLError):
            return Retryable(f"{where}: TLS failed: check `smtp.tls` (starttls or tls) and `smtp.port`")
        cause = cause.__cause__
    if isinstance(error, TimeoutError):
        return Retryable(f"{where}: no answer in time: check the mail server, or raise `timeout`")
    return Retryable(f"{where}: no connection, or it broke: check `smtp.host`, `smtp.port`, the firewall")
