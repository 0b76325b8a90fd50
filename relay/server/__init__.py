"""The HTTP server: health, pages, API; and the control socket for this machine's own commands."""

from relay.server.control import control_app
from relay.server.health import Health
from relay.server.links import Links, link_key
from relay.server.listening import Listener
from relay.server.public import public_app
from relay.server.service import Service

__all__ = ["Health", "Links", "Listener", "Service", "control_app", "link_key", "public_app"]
