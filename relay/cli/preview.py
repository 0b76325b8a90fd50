"""``msr-relay render``: a message as a channel would get it, without sending it."""

import json
from dataclasses import replace
from pathlib import Path

from rich.text import Text

from relay.app import build
from relay.channels import channel_type, kinds
from relay.cli.event_source import find_event
from relay.cli.opening import configure
from relay.cli.output import clean, console, print_json
from relay.engine.showing import GROUP, Shape, aged, own_template, sample_link, telling_of
from relay.model.catalogue import CATALOGUE
from relay.model.clock import SystemClock
from relay.model.errors import NotFoundError
from relay.model.near import near
from relay.settings import Settings


def render(
    config: Path | None,
    template: str,
    event: str | None,
    kind: str | None,
    status: str | None,
    channel: str | None,
    wanted: Shape,
    *,
    as_json: bool,
) -> None:
    """Print the parts of a message.

    Raises TemplateError, NotFoundError for names that there are not, ReasonError.
    """
    settings = configure(config).settings
    folder, _, name = template.rpartition("/")
    kind = _kind(settings, folder or kind, channel)
    name = name.removesuffix(".j2")
    source = event or wanted.type_of(name)
    clock = SystemClock()
    found = find_event(source, status, settings)
    first = aged(found.event, wanted.reason, clock.now()) if source in CATALOGUE else found.event
    mixed = name == GROUP and event is None
    telling = telling_of(first, wanted, channel or "sample", mixed=mixed)
    if channel_type(kind).ACKNOWLEDGES and settings.server.public_url:
        link = sample_link(settings.server.public_url)
        telling = replace(telling, acknowledge_url=lambda _thread: link)
    renderer = build.renderer(settings, clock)
    own = own_template(renderer, kind, name, found.event.type)
    parts = renderer.render(kind, channel_type(kind).PARTS, telling, own)
    if as_json:
        document = {"kind": kind, "template": name, "event": found.event.type, "note": found.note}
        print_json({**document, "parts": parts})
        return
    out = console()
    if found.note:
        out.print(Text(f"note: {found.note}", "dim"))
    for part, text in parts.items():
        out.print(Text.assemble((f"── {part} ──", "bold")))
        out.print(Text(_shown(part, text)), soft_wrap=True)


def _shown(part: str, text: str) -> str:
    if part.endswith("json"):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in text.splitlines())


def _kind(settings: Settings, wanted: str | None, channel: str | None) -> str:
    if channel is not None:
        known = {each.name: each.kind for each in settings.destinations}
        if channel not in known:
            raise NotFoundError(f"there is no channel {clean(channel)}: {near(channel, known)}")
        if wanted not in (None, known[channel]):
            raise NotFoundError(f"channel {channel} is of kind {known[channel]}, not {wanted}")
        return known[channel]
    if wanted is None:
        raise NotFoundError("for which kind of channel? Give KIND/TEMPLATE, --kind or --channel")
    if wanted not in kinds():
        raise NotFoundError(f"there is no kind of channel {clean(wanted)}: {near(wanted, kinds())}")
    return wanted
