"""The watchers. A new one is one file here and one line in ``WATCHERS``."""

from importlib.metadata import entry_points
from typing import Any

from relay.watch.base import Options, Place, Watcher
from relay.watch.changefeed import ChangefeedOptions, ChangefeedWatcher
from relay.watch.cluster_status import ClusterStatusOptions, ClusterStatusWatcher
from relay.watch.nginx_status import NginxOptions, NginxWatcher
from relay.watch.ping import PingOptions, PingWatcher
from relay.watch.trust import TrustOptions, TrustWatcher

WATCHERS: dict[str, tuple[type[Options], type[Watcher[Any]]]] = {
    "ping": (PingOptions, PingWatcher),
    "nginx_status": (NginxOptions, NginxWatcher),
    "cluster_status": (ClusterStatusOptions, ClusterStatusWatcher),
    "changefeed": (ChangefeedOptions, ChangefeedWatcher),
    "trust": (TrustOptions, TrustWatcher),
}
"""Options and watcher by the name that stands under ``watch`` in the configuration."""

for _entry in entry_points(group="msr_relay.watchers"):
    WATCHERS.setdefault(_entry.name, _entry.load())

__all__ = ["WATCHERS", "Options", "Place", "Watcher"]
