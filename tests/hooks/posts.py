"""What MSR and Alertmanager post, as they document it, in as few words as possible."""

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from relay.hooks import Hook, HookKind

NOW = datetime(2026, 11, 23, 21, 0, 0, tzinfo=UTC)
SECRET = "7f3a9c0d5e8b41e2a6d4c3b2f1e0d9c8"
MSR = Hook("prod-msr", HookKind.MSR, "prod", SecretStr(SECRET))
ALERTS = Hook("prod-alerts", HookKind.ALERTMANAGER, "prod", SecretStr(SECRET))
DIGEST = "sha256:9f2c1c7be0e4fb3f3b0a4f3f0d7a5c4a6a5e0f1b2c3d4e5f60718293a4b5c6d7"
IMAGE = {
    "namespace": "prod",
    "repository": "app",
    "tag": "1.4",
    "digest": DIGEST,
    "imageName": "msr.example.com/prod/app:1.4",
    "os": "linux",
    "architecture": "amd64",
    "author": "ann",
}


def posted(msr_type: str, contents: Any = IMAGE, **more: Any) -> dict[str, Any]:
    """One webhook of MSR."""
    return {
        "type": msr_type,
        "createdAt": "2026-11-23T20:58:11.165146789Z",
        "contents": contents,
        "location": "https://msr.example.com/repositories/prod/app/tags",
        "msrVersion": "2.9.16",
        **more,
    }


def alert(name: str = "DiskFull", status: str = "firing", **more: Any) -> dict[str, Any]:
    """One alert of a group."""
    return {
        "status": status,
        "labels": {"alertname": name, "instance": "msr-2:9100", "severity": "critical"},
        "annotations": {"summary": "The disk of msr-2 is 92 % full", "description": "Full in 4 hours."},
        "startsAt": "2026-11-23T20:50:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-23T20:59:00Z",
        "generatorURL": "https://prometheus.example.com/graph?g0.expr=disk_free",
        "fingerprint": f"f8f5{name.lower()}",
        **more,
    }


def group(*alerts: Any, **more: Any) -> dict[str, Any]:
    """One post of Alertmanager."""
    return {
        "receiver": "msr-relay",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example.com",
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        **more,
    }


def body(document: Any) -> bytes:
    """The document as it is posted."""
    return json.dumps(document).encode()
