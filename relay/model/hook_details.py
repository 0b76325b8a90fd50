"""The typed ``details`` of events that others post to the relay's hooks: MSR's webhooks, and Alertmanager.

MSR documents the contents of most of its webhooks, but not whole ("clipped for brevity"), and of some not at
all: whatever it may leave out is null here, and ``contents`` has all of it as it came.
"""

from datetime import datetime
from typing import Any

from pydantic import Field

from relay.model.details import Details


class MsrPosted(Details):
    """What MSR's webhooks have in common."""

    hook: str = Field(description="the name of the relay's hook that it came to")
    msr_type: str = Field(description="MSR's name for it, such as TAG_PUSH")
    author: str | None = Field(default=None, description="the user who did it; null if MSR does not say")
    location: str | None = Field(default=None, description="the page of MSR that shows it, if it gave one")
    msr_version: str | None = Field(default=None, description="the version of that MSR, if it gave it")
    contents: dict[str, Any] | None = Field(
        default=None,
        description="MSR's `contents` as they came; null if there were none, or more than 16 KiB of them",
    )


class ImagePosted(MsrPosted):
    """Something happened to a tag or a manifest of a repository."""

    tag: str | None = Field(default=None, description="the tag; null where it is about a manifest")
    digest: str | None = Field(default=None, description="digest of the manifest, `sha256:` and hex")
    image: str | None = Field(default=None, description="the name to pull it by, with MSR's host")
    os: str | None = Field(default=None, description="the operating system that the image is for")
    architecture: str | None = Field(default=None, description="the architecture that the image is for")


class ScanPosted(ImagePosted):
    """An image was scanned for vulnerabilities, or could not be."""

    critical: int | None = Field(default=None, description="vulnerabilities of CVSS 7.0 and more")
    major: int | None = Field(default=None, description="vulnerabilities of CVSS 4.0 to below 7.0")
    minor: int | None = Field(default=None, description="vulnerabilities of CVSS below 4.0")
    error: str | None = Field(default=None, description="why it could not be scanned")


class ScannerPosted(MsrPosted):
    """The scanner or its database of vulnerabilities was updated, or could not be."""

    scanner_version: str | None = Field(default=None, description="the version of the scanner")
    db_version: str | None = Field(default=None, description="the version of the database")
    success: bool | None = Field(default=None, description="whether the update succeeded")


class ChartPosted(MsrPosted):
    """Something happened to a Helm chart of a repository."""

    chart: str | None = Field(default=None, description="the chart's name")
    version: str | None = Field(default=None, description="the chart's version")


class AlertmanagerAlert(Details):
    """An alert of Prometheus or another source, as Alertmanager posted it."""

    hook: str = Field(description="the name of the relay's hook that it came to")
    name: str = Field(description="the label `alertname`; empty if it has none")
    fingerprint: str = Field(description="Alertmanager's fingerprint of the labels")
    labels: dict[str, str] = Field(description="the alert's labels")
    notes: dict[str, str] = Field(description="its annotations")
    description: str | None = Field(description="the annotation `description`, if it has one")
    began_at: datetime | None = Field(description="when it began, by Alertmanager (`startsAt`)")
    generator_url: str | None = Field(description="where what raised it can be looked at, if it is a web URL")
    alertmanager_url: str | None = Field(description="that Alertmanager's own URL, if it is a web URL")
    receiver: str = Field(description="Alertmanager's name of the receiver that posts to the hook")


class HookUnreadable(Details):
    """Something that was posted to a hook, with the right secret, and cannot be understood."""

    hook: str = Field(description="the name of the hook")
    kind: str = Field(description="what the hook takes: `msr` or `alertmanager`")
    reason: str = Field(description="what is wrong with it")
    excerpt: str = Field(description="the beginning of it; empty where it was not read")
