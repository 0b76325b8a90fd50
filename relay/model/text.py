"""Text from outside, made fit to be kept."""

from typing import Any


def storable(text: str) -> str:
    """Return the text without what no database or encoding takes: NUL and lone surrogates.

    Both can come out of JSON (``"\\u0000"``, ``"\\ud800"``). They become U+FFFD: visible, not lost.
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
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
