"""``deliveries replay`` and ``channels enable | disable``: what changes something."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from relay.cli.orders import me, order
from relay.cli.output import console, print_json, short
from relay.cli.reading import configuration, near
from relay.model.errors import Exit, NotFoundError
from relay.settings import Configuration


def replay(
    option: Path | None, ids: Sequence[str], *, dead: str | None, by: str | None, as_json: bool
) -> Exit:
    """Send deliveries once more, or everything that a channel refused for good. Raises RelayError."""
    found = configuration(option)
    if dead is None:
        made = asyncio.run(order(found, "replay", deliveries=list(ids), by=by or me()))
    else:
        _known(found, dead)
        made = asyncio.run(order(found, "replay-dead", channel=dead, by=by or me()))
    if as_json:
        print_json(made)
    elif made:
        console().print(f"Sent again as {', '.join(short(id) for id in made)}")
    else:
        console().print("There is nothing to send again.")
    return Exit.OK


def enable(option: Path | None, channel: str, *, by: str | None) -> Exit:
    """Send to a channel again, at once. Raises NotFoundError."""
    found = configuration(option)
    _known(found, channel)
    asyncio.run(order(found, "enable", channel=channel, by=by or me()))
    console().print(f"Channel {channel} is enabled: what waits goes out now, if a relay runs.")
    return Exit.OK


def disable(option: Path | None, channel: str, *, reason: str, by: str | None) -> Exit:
    """Send nothing more to a channel until it is enabled. Raises NotFoundError."""
    found = configuration(option)
    _known(found, channel)
    asyncio.run(order(found, "disable", channel=channel, reason=reason, by=by or me()))
    console().print(f"Channel {channel} is disabled: what comes is kept. msr-relay channels enable {channel}")
    return Exit.OK


def _known(found: Configuration, channel: str) -> None:
    names = found.settings.channel_names
    if channel not in names:
        raise NotFoundError(f"there is no channel {channel}; {near(channel, names)}")
