"""What a receiver of webhooks was told, read from the requests that it got."""

import json
from dataclasses import dataclass
from typing import Any

from tests.acceptance.relay import PATIENCE, until
from tests.real.webhooks import Received, Receiver


@dataclass(frozen=True)
class Told:
    """One request as the relay meant it."""

    delivery: str
    type: str
    status: str
    name: str
    """The subject's."""
    data: dict[str, Any]

    @classmethod
    def read(cls, request: Received) -> "Told":
        body = json.loads(request.body)
        data = body["data"]
        delivery = request.headers["webhook-id"]
        return cls(delivery, body["type"], data["status"], data["subject"]["name"], data)


def told(receiver: Receiver, path: str = "/") -> list[Told]:
    """Everything that came in at a path, in order, repeats included."""
    return [Told.read(request) for request in receiver.requests.items if request.path == path]


def wait_for(
    receiver: Receiver,
    type_name: str,
    status: str | None = None,
    *,
    name: str | None = None,
    path: str = "/",
    count: int = 1,
    timeout: float = PATIENCE,
) -> list[Told]:
    """The messages of a type, status and subject, once so many of them are there."""

    def found() -> list[Told] | None:
        some = [
            each
            for each in told(receiver, path)
            if each.type == type_name and status in (None, each.status) and name in (None, each.name)
        ]
        return some if len(some) >= count else None

    try:
        return until(found, "", timeout) or []
    except AssertionError:
        seen = [(each.type, each.status, each.name) for each in told(receiver, path)]
        wanted = f"{count} × {type_name} {status or ''} {name or ''}"
        raise AssertionError(f"waited {timeout:g} s for {wanted} at {path}, got {seen}") from None


def webhook(receiver: Receiver, name: str, path: str = "/", **more: Any) -> dict[str, Any]:
    """A channel that sends to a path of the receiver."""
    return {"name": name, "kind": "webhook", "url": f"{receiver.url}{path}", "allow_private": True, **more}
