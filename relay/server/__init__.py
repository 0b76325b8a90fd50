"""The HTTP server: health for probes, and the control socket for this machine's own commands."""

from relay.server.control import control_app
from relay.server.health import Health, health_app
from relay.server.listening import Listener

__all__ = ["Health", "Listener", "control_app", "health_app"]
