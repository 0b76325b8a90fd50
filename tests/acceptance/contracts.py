"""What receivers rely on, checked by their own means: Standard Webhooks, JSON Schema, Slack's models."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from slack_sdk.models.attachments import Attachment
from slack_sdk.models.blocks import Block
from standardwebhooks import Webhook

from tests.real.smtp import Mail
from tests.real.webhooks import Received

_SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas" / "events"


def check_webhook(request: Received, secret: str) -> dict[str, Any]:
    """The body of a signed webhook whose signature and shape are right."""
    Webhook(secret).verify(request.body, dict(request.headers))
    body: dict[str, Any] = json.loads(request.body)
    schema = json.loads((_SCHEMAS / f"{body['type']}.json").read_text())
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(body)
    return body


def check_slack(request: Received) -> dict[str, Any]:
    """The payload of a message that Slack would take: its own models refuse what is beyond its limits."""
    payload: dict[str, Any] = json.loads(request.body)
    assert 0 < len(payload["text"]) <= 4000, "what a notification shows"
    blocks = payload.get("blocks", [])
    _check_blocks(blocks)
    for attachment in payload.get("attachments", []):
        _check_blocks(attachment.get("blocks", []))
        blocks = blocks + attachment.get("blocks", [])
        if "blocks" not in attachment:
            Attachment(**attachment).to_dict()
    assert blocks, "a message is more than its text"
    return payload


def _check_blocks(blocks: list[dict[str, Any]]) -> None:
    assert len(blocks) <= 50
    for given in blocks:
        block = Block.parse(given)
        assert block is not None, f"Slack does not know {given}"
        block.validate_json()
        for text in _texts(given):
            assert 0 < len(text["text"]) <= {"header": 150}.get(given["type"], 3000)
        for field in given.get("fields", []):
            assert len(field["text"]) <= 2000


def _texts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if not isinstance(value, dict):
        return []
    mine = [value] if value.get("type") in ("mrkdwn", "plain_text") else []
    return mine + [text for item in value.values() for text in _texts(item)]


def check_mail(mail: Mail) -> tuple[str, str]:
    """Text and HTML of a mail that came encrypted and is formed as mails are."""
    assert mail.tls
    message = mail.message
    assert not message.defects
    assert message.get_content_type() == "multipart/alternative"
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        assert len(message.get_all(name, [])) == 1, name
    assert message["Auto-Submitted"] == "auto-generated"
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()
