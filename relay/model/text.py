"""Text from outside, made fit to be kept."""

import re
from typing import Any, Final

_BREAK: Final = r"(?:=(?:\r?\n|(?:\\r)?\\n))"
"""Where quoted-printable (RFC 2045, 6.7) breaks a line, also in a text that was put into JSON."""
_SLASH: Final = r"(?:\\?/|[%=]2f|\\u002f|&#(?:x2f|47);)"
"""A slash, also as JSON, URLs, quoted-printable and HTML may have it."""
_LINK: Final = re.compile(
    f"{_BREAK}?".join((_SLASH, "a", "c", "k", _SLASH, rf"(?:[\w.~-]|{_BREAK})+")), re.IGNORECASE
)
"""Of a link to acknowledge by (``relay.server.links``), what makes it one."""


def storable(text: str) -> str:
    """Return the text without what no database or encoding takes: NUL and lone surrogates.

    Both can come out of JSON (``"\\u0000"``, ``"\\ud800"``). They become U+FFFD: visible, not lost.
    """
    if text.isascii() and "\0" not in text:
        return text
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def storable_tree(value: Any) -> Any:
    """Return a JSON value with all its texts made storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(key)): storable_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_tree(item) for item in value]
    return value


def without_links(text: str) -> str:
    """Return a text as it may be kept and shown: whoever has a link to acknowledge by can use it."""
    if "=" not in text and "ack" not in text.lower():
        # Nearly all texts: searching them costs more than sending them.
        return text
    return _LINK.sub("/ack/(hidden)", text)
