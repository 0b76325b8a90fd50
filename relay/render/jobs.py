"""What the process that renders what somebody has typed is handed, and hands back: lines of JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from relay.model.delivery import Reason
from relay.model.event import Event
from relay.render.telling import Telling


@dataclass(frozen=True, slots=True)
class Job:
    """A message to render: for a kind of channel, of what it tells, at a time.

    ``template`` is a rule's own, ``typed`` templates by file name that come before those of ``directories``;
    ``zone`` is the time zone by its name. ``acknowledge`` is the link that stands for the one by which
    somebody takes care of the thing.
    """

    kind: str
    parts: Sequence[str]
    telling: Telling
    now: datetime
    template: str | None = None
    typed: Mapping[str, str] | None = None
    directories: Sequence[Path] = ()
    zone: str = "UTC"
    public_url: str | None = None
    acknowledge: str | None = None

    @property
    def name(self) -> str:
        """What errors call it that come from no line: what was typed, else the template's name."""
        typed = sorted(self.typed or ())
        return typed[0] if len(typed) == 1 else f"{self.kind}/{self.template or self.telling.type}"

    def line(self) -> bytes:
        """Return it as one line."""
        telling = self.telling
        document = {
            "kind": self.kind,
            "parts": list(self.parts),
            "telling": {
                "events": [each.to_json() for each in telling.events],
                "rule": telling.rule,
                "channel": telling.channel,
                "delivery": telling.delivery,
                "thread": telling.thread,
                "reason": str(telling.reason),
                "group": telling.group and dict(telling.group),
                "more": telling.more,
            },
            "now": self.now.isoformat(),
            "template": self.template,
            "typed": dict(self.typed or {}),
            "directories": [str(each.resolve()) for each in self.directories],
            "zone": self.zone,
            "public_url": self.public_url,
            "acknowledge": self.acknowledge,
        }
        return json.dumps(document).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> "Job":
        """Return the job of a line."""
        document: dict[str, Any] = json.loads(line)
        told = document.pop("telling")
        link = document["acknowledge"]
        telling = Telling(
            **told
            | {
                "events": tuple(map(Event.from_json, told["events"])),
                "reason": Reason(told["reason"]),
                "acknowledge_url": lambda _thread: link,
            }
        )
        return cls(
            **document
            | {
                "telling": telling,
                "now": datetime.fromisoformat(document["now"]),
                "directories": [Path(each) for each in document["directories"]],
            }
        )


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was wrong with a template; see TemplateError."""

    template: str
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """How a job went: the rendered parts, or what was wrong. ``last``: the process does no other one."""

    parts: Mapping[str, str] | None = None
    trouble: Trouble | None = None
    last: bool = False

    def line(self) -> bytes:
        """Return it as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> "Done":
        """Return what a line says. Raises ValueError for one that says nothing of the kind."""
        try:
            found: dict[str, Any] = json.loads(line)
            trouble = found["trouble"]
            return cls(found["parts"], trouble and Trouble(**trouble), found["last"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ValueError("this is no answer") from None
