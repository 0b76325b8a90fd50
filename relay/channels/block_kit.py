"""Slack's limits of a message, met by cutting visibly.

Source: docs.slack.dev, reference/block-kit/blocks and reference/methods/chat.postMessage (`text`). That all
blocks together are refused (`msg_blocks_too_long`) from about 13,200 characters on is not documented; it was
measured by others (github.com/slackapi/bolt-js, issue 2509).
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

TEXT: Final = 4000
BLOCKS: Final = 50
ALL_BLOCKS: Final = 12_000
ATTACHMENTS: Final = 20
_TEXTS: Final[Mapping[str, int]] = {"header": 150, "button": 75}
_OTHER_TEXT: Final = 3000
_MEMBER_TEXT: Final = 2000
_MEMBERS: Final[Mapping[str, int]] = {"fields": 10, "elements": 10}
_ACTIONS: Final = 25
_SMALL: Final = 300
_MARK: Final = "… (cut)"
_NOTHING: Final = "–"
_OPEN: Final = re.compile(r"&[#\w]{0,8}\Z|<[^<>]*\Z")
_FENCE: Final = "```"

Json = dict[str, Any]


def fit(document: Json) -> Json:
    """The message within Slack's limits. Raises ValueError where it has no shape that Slack takes."""
    fitted = dict(document)
    if "text" in document:
        fitted["text"] = cut_mrkdwn(_string(document["text"], "text"), TEXT)
    room = ALL_BLOCKS
    if "blocks" in document:
        fitted["blocks"] = _fit_blocks(document["blocks"], room)
        room -= _size(fitted["blocks"])
    if "attachments" in document:
        fitted["attachments"] = _fit_attachments(document["attachments"], room)
    if not (fitted.get("text") or fitted.get("blocks") or fitted.get("attachments")):
        raise ValueError("it has no `text`, no `blocks` and no `attachments`")
    return fitted


def doubts(document: Json) -> Iterator[str]:
    """Yield what of a message is beyond Slack's limits, and is cut by ``fit``."""
    if "text" in document and len(_string(document["text"], "text")) > TEXT:
        yield f"`text` has more than {TEXT} characters: the rest is cut"
    if "blocks" not in document:
        return
    blocks = _objects(document["blocks"], "blocks")
    if len(blocks) > BLOCKS:
        yield f"it has {len(blocks)} blocks: Slack takes {BLOCKS}, the rest is left out"
    for number, block in enumerate(blocks, start=1):
        if _fit_block(block, _OTHER_TEXT) != block:
            yield f"block {number} has texts that are empty, longer or more than Slack takes: it is changed"
    if _size(blocks) > ALL_BLOCKS:
        yield f"its blocks have more than {ALL_BLOCKS} characters together: they are cut, or left out"


def cut_mrkdwn(text: str, limit: int) -> str:
    """The text, at most `limit` characters of it; no entity, link or code block is cut in two."""
    if len(text) <= limit:
        return text
    closing = "\n" + _FENCE
    kept = _OPEN.sub("", text[: max(0, limit - len(_MARK) - len(closing))])
    return kept + (closing if kept.count(_FENCE) % 2 else "") + _MARK


def _fit_attachments(attachments: object, room: int) -> list[Json]:
    fitted = []
    for attachment in _objects(attachments, "attachments")[:ATTACHMENTS]:
        one: Json = {
            k: cut_mrkdwn(v, _OTHER_TEXT) if isinstance(v, str) else v for k, v in attachment.items()
        }
        if "blocks" in attachment:
            one["blocks"] = _fit_blocks(attachment["blocks"], max(room, _SMALL))
            room -= _size(one["blocks"])
        fitted.append(one)
    return fitted


def _fit_blocks(blocks: object, room: int) -> list[Json]:
    given = _objects(blocks, "blocks")
    fitted = [_fit_block(block, _OTHER_TEXT) for block in given]
    if _size(fitted) > room:
        fitted = [_fit_block(block, _SMALL) for block in given]
    kept = fitted[:BLOCKS]
    while len(kept) < len(fitted) or _size(kept) > room:
        kept = kept[: min(len(kept), BLOCKS) - 1]
        left_out = _left_out(len(given) - len(kept))
        if not kept or _size([*kept, left_out]) <= room:
            return [*kept, left_out]
    return kept


def _left_out(count: int) -> Json:
    text = f"… {count} more part{'' if count == 1 else 's'} of this message left out (cut)"
    return {"type": "context", "elements": [{"type": "plain_text", "text": text}]}


def _fit_block(block: Json, most: int) -> Json:
    kind = _string(block.get("type"), "the `type` of a block")
    fitted = dict(block)
    if "text" in block:
        fitted["text"] = _fit_text(block["text"], min(_TEXTS.get(kind, _OTHER_TEXT), most))
    for key, count in _MEMBERS.items():
        if key in block:
            members = _objects(block[key], key)
            fitted[key] = _fit_members(members, _ACTIONS if kind == "actions" else count, most)
    return fitted


def _fit_members(members: list[Json], count: int, most: int) -> list[Json]:
    fitted = []
    for member in members[:count]:
        if member.get("type") in {"mrkdwn", "plain_text"}:
            fitted.append(_fit_text(member, min(_MEMBER_TEXT, most)))
        elif isinstance(member.get("text"), dict):
            fitted.append({**member, "text": _fit_text(member["text"], _TEXTS["button"])})
        else:
            fitted.append(member)
    if len(members) > count and fitted[-1].get("type") in {"mrkdwn", "plain_text"}:
        fitted[-1] = {**fitted[-1], "text": f"… {len(members) - count + 1} more (cut)"}
    return fitted


def _fit_text(text: object, limit: int) -> Json:
    if not isinstance(text, dict):
        raise ValueError("a text in a block is not an object with `type` and `text`")
    # Slack refuses the whole message for one empty text.
    return {**text, "text": cut_mrkdwn(_string(text.get("text"), "a text"), limit).strip() or _NOTHING}


def _objects(value: object, name: str) -> list[Json]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"`{name}` is not a list of objects")
    return value


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a text")
    return value


def _size(blocks: list[Json]) -> int:
    return len(json.dumps(blocks, ensure_ascii=False))
