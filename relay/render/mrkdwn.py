"""Slack's mrkdwn as HTML, for showing what Slack would show.

Source: docs.slack.dev, messaging/formatting-message-text. What Slack would look up (names of users, channels
and groups, emoji) is shown by its id or name; nothing is mentioned, and nothing is loaded.
"""

import re
from collections.abc import Iterator
from typing import Final

from markupsafe import Markup, escape

from relay.render.clean import clean

_FENCE: Final = re.compile(r"```\n?(.+?)\n?```", re.DOTALL)
_QUOTE: Final = re.compile(r"(?:&gt;|>) ?")
_INLINE: Final = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<target>[^<>|\n]+)(?:\|(?P<label>[^<>\n]*))?>"
    r"|(?<![\w*])\*(?P<b>[^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<i>[^\s_](?:[^_\n]*[^\s_])?)_(?![\w_])"
    r"|(?<![\w~])~(?P<s>[^\s~](?:[^~\n]*[^\s~])?)~(?![\w~])"
    r"|(?P<url>https?://[^\s<>|]+[^\s<>|.,;:!?)\]}'\"])"
)
_STYLES: Final = ("b", "i", "s")
_LINKS: Final = ("http://", "https://", "mailto:")
_EVERYONE: Final = ("here", "channel", "everyone")


def mrkdwn(text: str, *, verbatim: bool = False) -> Markup:
    """Return the text as HTML. ``verbatim``: bare addresses do not become links."""
    out: list[Markup] = []
    for number, piece in enumerate(_FENCE.split(clean(text))):
        if number % 2:
            out.append(_tagged("pre", _plain(piece)))
        else:
            out.extend(_quoted(piece, verbatim=verbatim))
    return _joined(out)


def plain(text: str) -> Markup:
    """Return a text without markup as HTML."""
    return escape(clean(text))


def link(url: str, label: Markup) -> Markup:
    """Return a link; the label alone where it leads nowhere that a browser should go from here."""
    if not url.lower().startswith(_LINKS):
        return label
    return Markup('<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>').format(url, label)


def mention(text: str) -> Markup:
    """Return what stands for somebody who would be told."""
    return Markup('<span class="mention">{}</span>').format(text)


def _quoted(text: str, *, verbatim: bool) -> Iterator[Markup]:
    quoted: list[str] = []
    plain_lines: list[str] = []
    for line in text.split("\n"):
        found = _QUOTE.match(line)
        if found is None and quoted:
            yield _quote(quoted, verbatim=verbatim)
            quoted = []
        if found is not None and plain_lines:
            yield _inline("\n".join(plain_lines), verbatim=verbatim)
            plain_lines = []
        if found is None:
            plain_lines.append(line)
        else:
            quoted.append(line[found.end() :])
    if quoted:
        yield _quote(quoted, verbatim=verbatim)
    yield _inline("\n".join(plain_lines), verbatim=verbatim)


def _quote(lines: list[str], *, verbatim: bool) -> Markup:
    return _tagged("blockquote", _inline("\n".join(lines), verbatim=verbatim))


def _inline(text: str, *, verbatim: bool) -> Markup:
    out, at = [], 0
    for found in _INLINE.finditer(text):
        out += [_plain(text[at : found.start()]), _span(found, verbatim=verbatim)]
        at = found.end()
    return _joined([*out, _plain(text[at:])])


def _span(found: re.Match[str], *, verbatim: bool) -> Markup:
    if found["code"] is not None:
        return _tagged("code", _plain(found["code"]))
    if found["target"] is not None:
        return _angled(_unescaped(found["target"]), found["label"])
    if found["url"] is not None:
        shown = _plain(found["url"])
        return shown if verbatim else link(_unescaped(found["url"]), shown)
    tag = next(each for each in _STYLES if found[each] is not None)
    return _tagged(tag, _inline(found[tag], verbatim=verbatim))


def _angled(target: str, label: str | None) -> Markup:
    """Return what stands in angle brackets: a link, somebody's id, or a word with a meaning of its own."""
    given = None if label is None else _unescaped(label)
    sigil, rest = target[:1], target[1:]
    if sigil in "@#":
        return mention(sigil + (given or rest).lstrip(sigil))
    if sigil != "!":
        return link(target, plain(given or target))
    word, _, _ = rest.partition("^")
    if word == "date":
        return plain(given or rest)
    return mention("@" + (given or (word if word in _EVERYONE else rest)).lstrip("@"))


def _plain(text: str) -> Markup:
    return escape(_unescaped(text))


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _tagged(tag: str, content: Markup) -> Markup:
    return Markup("<{0}>{1}</{0}>").format(Markup(tag), content)  # noqa: S704 - the tags are ours


def _joined(pieces: list[Markup]) -> Markup:
    return Markup("").join(pieces)
