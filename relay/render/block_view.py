"""A Slack message as Slack would draw it: blocks, ready for a page. What is not known is shown as its JSON.

Source: docs.slack.dev, reference/block-kit/blocks.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from relay.render.mrkdwn import link, mention, mrkdwn, plain
from relay.render.readable import readable

_COLOURS: Final = {"good", "warning", "danger"}
_STYLES: Final = (("code", "code"), ("bold", "b"), ("italic", "i"), ("strike", "s"))
_ORDERED: Final = Markup("ol")
_BULLETS: Final = Markup("ul")
_LEGACY: Final = (("pretext", "section"), ("title", "header"), ("text", "section"), ("footer", "context"))
_INDENT: Final = 8
"""How deep Slack indents a list at the most."""


_NOTHING: Final = Markup("")


@dataclass(frozen=True, slots=True)
class Button:
    """A button. It does nothing here."""

    text: Markup
    style: str


@dataclass(frozen=True, slots=True)
class View:
    """A block. ``kind`` says how it is drawn; ``json`` is for kinds that are not known."""

    kind: str
    text: Markup = _NOTHING
    fields: tuple[Markup, ...] = ()
    buttons: tuple[Button, ...] = ()
    json: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """What hangs on a message, with a coloured edge."""

    colour: str
    blocks: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class SlackView:
    """A message. ``notice`` is what a notification shows, where that is not the message itself."""

    blocks: tuple[View, ...]
    attachments: tuple[Attachment, ...] = ()
    notice: Markup | None = None


def slack_view(body: str) -> SlackView:
    """Return a message as the channel would send it. Raises ValueError for what is no JSON object."""
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("a Slack message is a JSON object")
    text = document.get("text")
    formatted = document.get("mrkdwn") is not False
    shown = None if not isinstance(text, str) else mrkdwn(text) if formatted else plain(text)
    blocks = tuple(map(_view, _list(document.get("blocks"))))
    attachments = tuple(map(_attachment, _list(document.get("attachments"))))
    if blocks:
        return SlackView(blocks, attachments, shown)
    return SlackView((View("section", shown),) if shown else (), attachments)


def _view(block: Any) -> View:
    try:
        make = _VIEWS.get(block["type"])
        found = None if make is None else make(block)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        # Slack would refuse it; here it is shown as it is.
        found = None
    return View("unknown", json=readable(block)) if found is None else found


def _header(block: Mapping[str, Any]) -> View:
    return View("header", _object(block["text"]))


def _section(block: Mapping[str, Any]) -> View:
    text = _object(block["text"]) if "text" in block else Markup("")
    fields = tuple(_object(each) for each in _list(block.get("fields")))
    accessory = block.get("accessory")
    if accessory is None:
        return View("section", text, fields)
    if accessory["type"] == "button":
        return View("section", text, fields, (_button(accessory),))
    return View("section", text, fields, json=readable(accessory))


def _context(block: Mapping[str, Any]) -> View:
    return View("context", fields=tuple(_element(each) for each in _list(block["elements"])))


def _element(element: Mapping[str, Any]) -> Markup:
    if element["type"] == "image":
        return _image_of(element)
    return _object(element)


def _image_of(block: Mapping[str, Any]) -> Markup:
    # A page of the relay loads nothing from elsewhere.
    return Markup('<span class="image">{}</span>').format(f"image: {block.get('alt_text') or 'no text'}")


def _divider(_block: Mapping[str, Any]) -> View:
    return View("divider")


def _image(block: Mapping[str, Any]) -> View:
    return View("section", _image_of(block))


def _actions(block: Mapping[str, Any]) -> View | None:
    elements = _list(block["elements"])
    if not all(each["type"] == "button" for each in elements):
        return None
    return View("actions", buttons=tuple(map(_button, elements)))


def _button(element: Mapping[str, Any]) -> Button:
    style = element.get("style")
    return Button(_object(element["text"]), style if style in ("primary", "danger") else "")


def _object(text: Mapping[str, Any]) -> Markup:
    content = text["text"]
    if not isinstance(content, str):
        raise TypeError
    if text["type"] == "mrkdwn":
        return mrkdwn(content, verbatim=text.get("verbatim") is True)
    return plain(content)


def _rich_text(block: Mapping[str, Any]) -> View:
    return View("rich", _joined(map(_rich, _list(block["elements"]))))


def _rich(element: Mapping[str, Any]) -> Markup:
    kind = element["type"]
    if kind == "rich_text_list":
        tag = _ORDERED if element.get("style") == "ordered" else _BULLETS
        items = _joined(Markup("<li>{}</li>").format(_spans(each)) for each in _list(element["elements"]))
        indent = max(0, min(int(element.get("indent", 0)), _INDENT))
        return Markup('<{0} class="indent-{1}">{2}</{0}>').format(tag, indent, items)
    tags = {"rich_text_section": "div", "rich_text_quote": "blockquote", "rich_text_preformatted": "pre"}
    return Markup("<{0}>{1}</{0}>").format(Markup(tags[kind]), _spans(element))  # noqa: S704 - ours


def _spans(element: Mapping[str, Any]) -> Markup:
    return _joined(map(_rich_span, _list(element["elements"])))


def _rich_span(element: Mapping[str, Any]) -> Markup:
    match element["type"]:
        case "text":
            found = plain(element["text"])
        case "link":
            found = link(element["url"], plain(element.get("text") or element["url"]))
        case "emoji":
            found = plain(f":{element['name']}:")
        case "user" | "usergroup" | "channel" | "broadcast" as kind:
            sigil = "#" if kind == "channel" else "@"
            found = mention(sigil + str(element.get(f"{kind}_id") or element.get("range")))
        case _:
            found = plain(readable(element))
    style = element.get("style") or {}
    for name, tag in _STYLES:
        if style.get(name):
            found = Markup("<{0}>{1}</{0}>").format(Markup(tag), found)  # noqa: S704 - the tags are ours
    return found


def _attachment(given: Any) -> Attachment:
    document = given if isinstance(given, dict) else {}
    colour = document.get("color")
    blocks = tuple(map(_view, _list(document.get("blocks"))))
    if not blocks:
        blocks = tuple(_legacy(document)) or (View("unknown", json=readable(given)),)
    return Attachment(colour if colour in _COLOURS else "", blocks)


def _legacy(document: Mapping[str, Any]) -> Iterator[View]:
    for name, kind in _LEGACY:
        value = document.get(name)
        if isinstance(value, str) and value:
            shown = mrkdwn(value)
            yield View(kind, fields=(shown,)) if kind == "context" else View(kind, shown)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _joined(pieces: Iterable[Markup]) -> Markup:
    return Markup("").join(pieces)


_VIEWS: Final[Mapping[Any, Callable[[Mapping[str, Any]], View | None]]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "divider": _divider,
    "image": _image,
    "actions": _actions,
    "rich_text": _rich_text,
}
