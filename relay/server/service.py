"""What the answers of the server work with."""

from dataclasses import dataclass, field

from pydantic import SecretStr

from relay.engine.operate import Operator
from relay.hooks import Hooks
from relay.render import Pages
from relay.server.links import Links


@dataclass(frozen=True, slots=True)
class Service:
    """What answers work with. Each request asks for it anew: a reload may have changed it."""

    operator: Operator
    links: Links
    pages: Pages
    api_token: SecretStr | None = None
    hooks: Hooks = field(default_factory=Hooks)
