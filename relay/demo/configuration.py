"""The demonstration's relay.yaml: written as a user would write it, and read by the real loader."""

import dataclasses
import json
from pathlib import Path

from relay.channels.console import Console
from relay.demo.cluster import NAME, REGISTRY, USER, Cluster, Pki
from relay.demo.receivers import ONCALL, SOC, TERMINAL, Hook, Screen
from relay.settings import Configuration, read

_TEXT = """\
store: sqlite:///{store}
server: {{listen: 127.0.0.1:0}}
stop_within: 2s

clusters:
  - name: {name}
    replicas: {replicas}
    registry_host: {registry}
    username: {user}
    password: {password}
    ca_file: {ca_file}
    failures: 2
    watch: {{ping: 500ms, nginx_status: 1s, cluster_status: 500ms, changefeed: 500ms, trust: 500ms}}

channels:
  - {{name: {terminal}, kind: console}}
  - name: {soc}
    kind: webhook
    url: {hook}
    secrets: {secret}
    allow_private: true
  - name: {oncall}
    kind: email
    smtp: {{host: 127.0.0.1, port: {port}, tls: starttls, ca_file: {ca_file}}}
    from: MSR Relay <relay@example.com>
    to: oncall@example.com
    rate: 50/s

rules:
  - name: everything
    channels: [{terminal}, {soc}]
  - name: critical
    match: {{severity: ">= critical"}}
    channels: [{oncall}]
"""


def write(folder: Path, cluster: Cluster, pki: Pki, hook: Hook, mail_port: int) -> Path:
    """Write the file and return its path; only its owner may read it."""
    path = folder / "relay.yaml"
    path.touch(mode=0o600)
    text = _TEXT.format(
        store=folder / "relay.db",
        name=NAME,
        replicas=json.dumps([f"https://{replica}" for replica in cluster.replicas]),
        registry=REGISTRY,
        user=USER,
        password=json.dumps(cluster.password),
        ca_file=json.dumps(str(pki.ca_file)),
        terminal=TERMINAL,
        soc=SOC,
        oncall=ONCALL,
        hook=hook.url,
        secret=hook.secret,
        port=mail_port,
    )
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path, screen: Screen) -> Configuration:
    """Read the file; the console channel writes to the screen. Raises ConfigError."""
    found = read(path, {}, dotenv=None)
    channels = [
        each.onto(screen) if isinstance(each, Console) else each for each in found.settings.destinations
    ]
    return dataclasses.replace(found, settings=found.settings.model_copy(update={"channels": channels}))
