"""Samples of what others post to the relay's hooks."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from relay.model import hook_details as h
from relay.model.details import Details

_WHEN = datetime(2026, 11, 23, 20, 58, 11, 165146, tzinfo=UTC)
_REPOSITORY = "prod/app"
_DIGEST = "sha256:9f2c1c7be0e4fb3f3b0a4f3f0d7a5c4a6a5e0f1b2c3d4e5f60718293a4b5c6d7"


def _common(msr_type: str, **contents: Any) -> dict[str, Any]:
    namespace, _, name = _REPOSITORY.partition("/")
    return {
        "hook": "prod-msr",
        "msr_type": msr_type,
        "author": "ann",
        "location": f"https://msr.example.com/repositories/{_REPOSITORY}",
        "msr_version": "2.9.16",
        "contents": {"namespace": namespace, "repository": name, "author": "ann", **contents},
    }


def _image(msr_type: str, *, tag: str | None = "1.4") -> dict[str, Any]:
    where = f"msr.example.com/{_REPOSITORY}"
    about = {
        "digest": _DIGEST,
        "image": f"{where}:{tag}" if tag else f"{where}@{_DIGEST}",
        "os": "linux",
        "architecture": "amd64",
    }
    named = {"imageName" if key == "image" else key: value for key, value in about.items()}
    return {**_common(msr_type, tag=tag, **named), "tag": tag, **about}


def _of_image(msr_type: str, happened: str) -> tuple[str, str, Details]:
    summary = f"Image {_REPOSITORY}:1.4 was {happened} by ann"
    return _REPOSITORY, summary, h.ImagePosted(**_image(msr_type))


def _of_tag(msr_type: str, happened: str) -> tuple[str, str, Details]:
    return _REPOSITORY, f"Tag {_REPOSITORY}:1.4 was {happened} by ann", h.ImagePosted(**_image(msr_type))


def _of_manifest(msr_type: str, happened: str) -> tuple[str, str, Details]:
    summary = f"Manifest {_REPOSITORY}@{_DIGEST[:19]} was {happened} by ann"
    return _REPOSITORY, summary, h.ImagePosted(**_image(msr_type, tag=None))


def _of_repository(msr_type: str, happened: str) -> tuple[str, str, Details]:
    summary = f"Repository {_REPOSITORY} was {happened} by ann"
    return _REPOSITORY, summary, h.MsrPosted(**_common(msr_type, event=msr_type))


def _of_chart(msr_type: str, happened: str) -> tuple[str, str, Details]:
    common = _common(msr_type, name="app", version="0.3.1")
    summary = f"Chart app 0.3.1 of {_REPOSITORY} was {happened} by ann"
    return _REPOSITORY, summary, h.ChartPosted(**common, chart="app", version="0.3.1")


HOOK_DETAILS: Final[dict[str, tuple[str, str, Details]]] = {
    "msr.tag_push": _of_tag("TAG_PUSH", "pushed"),
    "msr.tag_pull": _of_tag("TAG_PULL", "pulled"),
    "msr.tag_delete": _of_tag("TAG_DELETE", "deleted"),
    "msr.manifest_push": _of_manifest("MANIFEST_PUSH", "pushed"),
    "msr.manifest_pull": _of_manifest("MANIFEST_PULL", "pulled"),
    "msr.manifest_delete": _of_manifest("MANIFEST_DELETE", "deleted"),
    "msr.scan_completed": (
        _REPOSITORY,
        f"Image {_REPOSITORY}:1.4 was scanned: 2 critical, 7 major, 31 minor",
        h.ScanPosted(**_image("SCAN_COMPLETED"), critical=2, major=7, minor=31),
    ),
    "msr.scan_failed": (
        _REPOSITORY,
        f"Image {_REPOSITORY}:1.4 could not be scanned: layer is too large",
        h.ScanPosted(**_image("SCAN_FAILED"), error="layer is too large"),
    ),
    "msr.promotion": _of_image("PROMOTION", "promoted"),
    "msr.push_mirroring": _of_image("PUSH_MIRRORING", "mirrored to another registry"),
    "msr.poll_mirroring": _of_image("POLL_MIRRORING", "mirrored from another registry"),
    "msr.repo_created": _of_repository("REPO_CREATED", "created"),
    "msr.repo_updated": _of_repository("REPO_UPDATED", "updated"),
    "msr.repo_deleted": _of_repository("REPO_DELETED", "deleted"),
    "msr.scanner_update_completed": (
        "prod",
        "The vulnerability scanner was updated to database version 1407",
        h.ScannerPosted(
            hook="prod-msr",
            msr_type="SCANNER_UPDATE_COMPLETED",
            scanner_version="3",
            db_version="1407",
            success=True,
        ),
    ),
    "msr.chart_push": _of_chart("CHART_PUSH", "pushed"),
    "msr.chart_pull": _of_chart("CHART_PULL", "pulled"),
    "msr.chart_delete": _of_chart("CHART_DELETE", "deleted"),
    "msr.chart_linted": _of_chart("CHART_LINTED", "linted"),
    "msr.event": (
        _REPOSITORY,
        f"MSR posted TAG_SEALED about {_REPOSITORY} by ann",
        h.MsrPosted(**_common("TAG_SEALED")),
    ),
    "alertmanager.alert": (
        "msr-2.example.com:9100",
        "DiskFull: The disk of msr-2 is 92 % full",
        h.AlertmanagerAlert(
            hook="prod-alerts",
            name="DiskFull",
            fingerprint="f8f5cf5ac1b6c0d4",
            labels={
                "alertname": "DiskFull",
                "instance": "msr-2.example.com:9100",
                "mountpoint": "/var/lib/docker",
                "severity": "warning",
            },
            notes={
                "summary": "The disk of msr-2 is 92 % full",
                "description": "At this rate it is full in 4 hours: MSR stops taking pushes then.",
            },
            description="At this rate it is full in 4 hours: MSR stops taking pushes then.",
            began_at=_WHEN - timedelta(minutes=5),
            generator_url="https://prometheus.example.com/graph?g0.expr=disk_free",
            alertmanager_url="https://alertmanager.example.com",
            receiver="msr-relay",
        ),
    ),
    "hook.unreadable": (
        "prod-alerts",
        "What was posted to the hook prod-alerts cannot be understood: it is no JSON",
        h.HookUnreadable(
            hook="prod-alerts", kind="alertmanager", reason="it is no JSON", excerpt="payload=%7B%22"
        ),
    ),
}
"""Per event type: the subject's name, the summary, and the details."""
