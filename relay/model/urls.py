"""URLs that stand as links in messages."""

from typing import Final
from urllib.parse import urlsplit

_NEVER: Final = frozenset('<>"|\\^`{}')
"""What RFC 3986 has in no URL, and what would end a link in Slack's or HTML's notation."""


def web_url(text: str) -> str:
    """Return the text if people may be given it as a link. Raises ValueError for anything else."""
    try:
        parts = urlsplit(text)
        host, user = parts.hostname, parts.username
    except ValueError:
        host = user = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("must be a web address such as https://wiki.example.com/msr")
    if user is not None:
        raise ValueError("must not hold a user or password: everybody who gets the message would read it")
    if not text.isprintable() or " " in text or _NEVER & set(text):
        raise ValueError('must not hold blanks or any of <>"|\\^`{}: write them as %20, %7C and so on')
    return text


def link_or_none(text: object) -> str | None:
    """Return the text if it can be a link, else None."""
    try:
        return web_url(text) if isinstance(text, str) else None
    except ValueError:
        return None
