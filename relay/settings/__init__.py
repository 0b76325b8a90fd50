"""The settings: what a user can configure, as one checked tree."""

from relay.settings.cluster import ClusterSettings
from relay.settings.reading import Configuration, read
from relay.settings.root import Settings

__all__ = ["ClusterSettings", "Configuration", "Settings", "read"]
