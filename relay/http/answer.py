"""What a server answered."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


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

    def retry_after(self, now: datetime) -> float | None:
        """Seconds that the server asks to wait (Retry-After, a number or a date); None if it does not."""
        value = self.headers.get("Retry-After", "").strip()
        try:
            seconds = float(value) if value[:1].isdigit() else _http_date(value).timestamp() - now.timestamp()
        except (ValueError, OverflowError):
            return None
        return max(0.0, seconds) if math.isfinite(seconds) else None


def _http_date(value: str) -> datetime:
    moment = parsedate_to_datetime(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
