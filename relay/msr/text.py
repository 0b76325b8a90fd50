"""Texts from MSR, made harmless: they are untrusted, and end in messages, logs and databases."""

import unicodedata

CUT = "…"
_UNWANTED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Categories of characters that steer a terminal, turn the reading direction, or cannot be stored."""


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most `limit` characters, cut visibly."""
    return shorten(" ".join(printable(text).split()), limit)


def printable(text: str) -> str:
    """The text with U+FFFD for every control, format or surrogate character except newline and tab."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if _is_unwanted(char) else char for char in text)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters of the text, cut visibly."""
    return text if len(text) <= limit else text[: limit - len(CUT)] + CUT


def _is_unwanted(char: str) -> bool:
    return char not in "\n\t" and unicodedata.category(char) in _UNWANTED
