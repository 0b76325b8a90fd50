"""What is wrong with trust data."""

_LONGEST = 300


class InvalidError(Exception):
    """Trust data does not verify. ``reason`` is short and printable; ``role`` is the metadata at fault."""

    def __init__(self, role: str, reason: str) -> None:
        shown = "".join(c if c.isprintable() else "�" for c in reason[:_LONGEST])
        super().__init__(f"{role}: {shown}" if role else shown)
        self.role = role
        self.reason = shown


class GoneError(Exception):
    """The server does not have a file. ``role`` is the metadata that is missing."""

    def __init__(self, role: str) -> None:
        super().__init__(f"{role} is not on the server")
        self.role = role
