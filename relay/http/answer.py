"""What a server answered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer with a bounded body, of any status. Nothing in it is to be trusted."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Case-insensitive."""
    body: bytes = field(repr=False)
    """As it came over the wire: a content encoding that nobody asked for is not undone."""
    cut: bool
    """The body went on beyond the bound."""
    seconds: float
    """From the start of the request to the end of the body."""

    def text(self) -> str:
        """The body as text; what is not UTF-8 becomes U+FFFD."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> object:
        """The body as a JSON document, whatever Content-Type says; ValueError if it is none, or was cut."""
        if self.cut:
            raise ValueError("the document was cut off")
        try:
            parsed: object = json.loads(self.body)
        except RecursionError:
            raise ValueError("the document is nested too deeply") from None
        return parsed
