"""Whether the relay may listen where the settings say."""

from datetime import datetime

from relay.model.errors import ConfigError, Problem
from relay.settings import ServerSettings
from relay.store import Store


async def check_listening(server: ServerSettings, store: Store, now: datetime) -> None:
    """Raise ConfigError where others get to, but nobody can log in; or StoreError."""
    if server.loopback or server.insecure or server.api_token is not None or server.trusted_proxy is not None:
        return
    if any(token.valid(now) for token in await store.list_tokens()):
        return
    raise ConfigError(
        Problem(
            "",
            "server.listen",
            f"{server.listen} can be reached from elsewhere, and nobody can log in there",
            "make a token (msr-relay token create NAME --scope operate), set server.api_token or "
            "server.trusted_proxy, or listen on 127.0.0.1; server.insecure: true starts it all the same",
        )
    )
