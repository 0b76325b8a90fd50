"""Links by which whoever got a message can acknowledge what it tells, without a password."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from itsdangerous import BadData

from relay.model.clock import Clock
from relay.model.errors import RelayError
from relay.server.signed import timed
from relay.store import Store

KEY_SCOPE: Final = "relay/link-key"
"""Under which the store keeps the key, beside the cursors."""
KEY_BYTES: Final = 32

_SALT: Final = "msr-relay acknowledge"
"""Keeps a token for this purpose from being good for any other that the same key serves."""
_LONGEST: Final = 2000
"""Characters of a token; ours are far shorter."""


class LinkError(RelayError):
    """This is no link of ours, or not the whole of it."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for: the alert or event, and the channel that the link was sent to.

    ``expired`` says that it was ours, but may no longer be used.
    """

    thread: str
    channel: str
    expired: bool


class Links:
    """Makes links and reads their tokens. ``lifetime`` is how long a link may be used."""

    def __init__(self, key: str, clock: Clock, lifetime: timedelta, public_url: str | None) -> None:
        self.public_url = public_url
        self.lifetime = lifetime
        self._clock = clock
        self._serializer = timed(key, _SALT, clock)

    def acknowledge(self, thread: str, channel: str) -> str | None:
        """Return a link for a message about an alert or event to a channel; None without a public URL."""
        return None if self.public_url is None else f"{self.public_url}/ack/{self.token(thread, channel)}"

    def token(self, thread: str, channel: str) -> str:
        """Return the token of a link."""
        made = self._serializer.dumps([thread, channel])
        return made if isinstance(made, str) else made.decode()

    def read(self, token: str) -> Link:
        """Return what a token is for. Raises LinkError; the time that takes tells nothing of signatures."""
        if len(token) > _LONGEST or not token.isascii():
            raise LinkError("the link is not valid")
        try:
            # Not by the library's max_age: it takes a clock that was set back for a forgery.
            (thread, channel), at = self._serializer.loads(token, return_timestamp=True)
        except BadData:
            raise LinkError("the link is not valid") from None
        return Link(thread, channel, self._clock.now() - at > self.lifetime)


async def link_key(store: Store, random_bytes: Callable[[int], bytes]) -> str:
    """Return the key that links are signed with: made at the first start, then the one in the store.

    ``random_bytes`` must be fit for keys, as ``secrets.token_bytes`` is. Raises StoreError.
    """
    return await store.keep_first(KEY_SCOPE, random_bytes(KEY_BYTES).hex())
