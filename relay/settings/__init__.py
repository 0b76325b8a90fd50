"""The settings: what a user can configure, as one checked tree."""

from relay.settings.cluster import ClusterSettings
from relay.settings.reading import Configuration, read
from relay.settings.root import DampingSettings, Settings
from relay.settings.server import ServerSettings

__all__ = ["ClusterSettings", "Configuration", "DampingSettings", "ServerSettings", "Settings", "read"]
