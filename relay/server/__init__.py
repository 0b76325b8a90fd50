"""The HTTP server: health, pages, API; and the control socket for this machine's own commands."""

from relay.server.access import Access, Sessions, check_listening
from relay.server.control import control_app
from relay.server.health import Health
from relay.server.links import Links, link_key
from relay.server.listening import Listener
from relay.server.public import public_app
from relay.server.refused import Guesses
from relay.server.service import Running, Service, Watched
from relay.server.static import assets
from relay.server.stream import Stream

__all__ = [
    "Access",
    "Guesses",
    "Health",
    "Links",
    "Listener",
    "Running",
    "Service",
    "Sessions",
    "Stream",
    "Watched",
    "assets",
    "check_listening",
    "control_app",
    "link_key",
    "public_app",
]
