"""What is wrong with trust data."""

from typing import Final

from relay.model.errors import RelayError

_LONGEST: Final = 200
_LONGEST_ROLE: Final = 255


class TrustError(RelayError):
    """The trust data of a repository cannot be told from what the server has."""

    def __init__(self, role: str, reason: str) -> None:
        self.role = shown(role, _LONGEST_ROLE)
        """Whose metadata is at fault: ``root``, ``timestamp``, ``targets``, ``targets/NAME`` …"""
        self.reason = shown(reason, _LONGEST)
        """Short, printable, on one line; what the server said in it is cut and escaped."""
        super().__init__(f"{self.role}: {self.reason}" if self.role else self.reason)


class InvalidError(TrustError):
    """Trust data does not verify: a hash, a signature or the form is wrong, or it is beyond the limits."""


class GoneError(TrustError):
    """The server does not have a file (404): trust data was deleted, or older versions of it were."""

    def __init__(self, role: str) -> None:
        super().__init__(role, "the server does not have it")


def shown(text: str, most: int) -> str:
    """Return at most so many characters of a text, those that cannot be printed as escapes."""
    cut = text[: most + 1]
    escaped = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)
    return escaped if len(escaped) <= most else f"{escaped[: most - 1]}…"
