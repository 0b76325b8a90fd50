"""MSR's webhooks: ``{"type", "createdAt", "contents", "location", "msrVersion"}``, each one event.

MSR documents the contents of tag, manifest, scan, repository and scanner webhooks; those of charts,
promotions and mirroring are read by the same names, as far as they are there. Nothing but the type is needed.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from relay.hooks.hook import Hook
from relay.hooks.strict import UnreadableError, address, count, moment, text
from relay.model import hook_details as h
from relay.model.event import Subject, SubjectKind
from relay.model.hook_types import UNKNOWN
from relay.model.observation import Fact, Report
from relay.model.severity import Severity

_CONTENTS: Final = 16 * 1024
_ANY_OF_A_REPOSITORY: Final = "REPO_EVENT"
"""What DTR before 2.5 posts of repositories: ``contents.event`` says which."""

Contents = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Post:
    """What all webhooks have: MSR's type, the repository (``namespace/name``, or empty), and the contents."""

    type: str
    repository: str
    contents: Contents
    common: Mapping[str, Any]

    def text(self, *names: str) -> str | None:
        """Return the first of the contents' texts that is there, cut and clean."""
        return next((found for name in names if (found := text(self.contents.get(name)))), None)

    @property
    def by(self) -> str:
        """Who did it, for the end of a sentence; empty if that is not known."""
        author = self.common["author"]
        return f" by {author}" if author else ""


_Reading = Callable[[_Post, str], tuple[str, h.MsrPosted]]
"""From a post, and what happened in words, to a summary and details."""


def _tag(post: _Post, happened: str) -> tuple[str, h.MsrPosted]:
    return f"Tag {_image(post)} was {happened}{post.by}", _about_image(post, h.ImagePosted)


def _image_was(post: _Post, happened: str) -> tuple[str, h.MsrPosted]:
    return f"Image {_image(post)} was {happened}{post.by}", _about_image(post, h.ImagePosted)


def _manifest(post: _Post, happened: str) -> tuple[str, h.MsrPosted]:
    return f"Manifest {_image(post)} was {happened}{post.by}", _about_image(post, h.ImagePosted)


def _scanned(post: _Post, _happened: str) -> tuple[str, h.MsrPosted]:
    found = post.contents.get("scanSummary")
    summary = found if isinstance(found, dict) else {}
    counts = {name: count(summary.get(name)) for name in ("critical", "major", "minor")}
    told = ", ".join(f"{number} {name}" for name, number in counts.items() if number is not None)
    details = _about_image(post, h.ScanPosted, **counts)
    return f"Image {_image(post)} was scanned{f': {told}' if told else ''}", details


def _not_scanned(post: _Post, _happened: str) -> tuple[str, h.MsrPosted]:
    error = post.text("error")
    summary = f"Image {_image(post)} could not be scanned{f': {error}' if error else ''}"
    return summary, _about_image(post, h.ScanPosted, error=error)


def _repository(post: _Post, happened: str) -> tuple[str, h.MsrPosted]:
    return f"Repository {post.repository or 'without a name'} was {happened}{post.by}", h.MsrPosted(
        **post.common
    )


def _scanner(post: _Post, _happened: str) -> tuple[str, h.MsrPosted]:
    success = post.contents.get("success")
    details = h.ScannerPosted(
        **post.common,
        scanner_version=_version(post.contents.get("scanner_version")),
        db_version=_version(post.contents.get("db_version")),
        success=success if isinstance(success, bool) else None,
    )
    if details.success is False:
        return "The vulnerability scanner could not be updated", details
    which = f" to database version {details.db_version}" if details.db_version else ""
    return f"The vulnerability scanner was updated{which}", details


def _chart(post: _Post, happened: str) -> tuple[str, h.MsrPosted]:
    data = post.contents.get("data")
    inner: Contents = data if isinstance(data, dict) else {}
    name = post.text("chart", "chartName", "name") or text(inner.get("name"))
    version = post.text("version", "chartVersion") or text(inner.get("version"))
    what = " ".join(each for each in (name, version) if each) or "without a name"
    summary = f"Chart {what} of {post.repository or 'a repository'} was {happened}{post.by}"
    return summary, h.ChartPosted(**post.common, chart=name, version=version)


def _other(post: _Post, _happened: str) -> tuple[str, h.MsrPosted]:
    about = f" about {post.repository}" if post.repository else ""
    return f"MSR posted {post.type}{about}{post.by}", h.MsrPosted(**post.common)


_TYPES: Final[Mapping[str, tuple[_Reading, str]]] = {
    "TAG_PUSH": (_tag, "pushed"),
    "TAG_PULL": (_tag, "pulled"),
    "TAG_DELETE": (_tag, "deleted"),
    "MANIFEST_PUSH": (_manifest, "pushed"),
    "MANIFEST_PULL": (_manifest, "pulled"),
    "MANIFEST_DELETE": (_manifest, "deleted"),
    "SCAN_COMPLETED": (_scanned, ""),
    "SCAN_FAILED": (_not_scanned, ""),
    "PROMOTION": (_image_was, "promoted"),
    "PUSH_MIRRORING": (_image_was, "mirrored to another registry"),
    "POLL_MIRRORING": (_image_was, "mirrored from another registry"),
    "REPO_CREATED": (_repository, "created"),
    "REPO_UPDATED": (_repository, "updated"),
    "REPO_DELETED": (_repository, "deleted"),
    "SCANNER_UPDATE_COMPLETED": (_scanner, ""),
    "CHART_PUSH": (_chart, "pushed"),
    "CHART_PULL": (_chart, "pulled"),
    "CHART_DELETE": (_chart, "deleted"),
    "CHART_LINTED": (_chart, "linted"),
}


def report(hook: Hook, document: dict[str, Any], at: datetime) -> Report:
    """Return a report of the one thing that MSR posted. Raises UnreadableError if it does not say what.

    The event's identity is the hook, MSR's type and time, and a hash of the contents.
    """
    said = text(document.get("type"), 100)
    if said is None:
        raise UnreadableError('it has no "type"')
    given = document.get("contents")
    contents: Contents = given if isinstance(given, dict) else {}
    canonical = json.dumps(given, sort_keys=True)
    name = text(contents.get("event"), 100) or said if said == _ANY_OF_A_REPOSITORY else said
    post = _Post(name, _name(contents), contents, _common(hook, name, document, contents, canonical))
    reading, happened = _TYPES.get(name, (_other, ""))
    summary, details = reading(post, happened)
    fact = Fact(
        type=f"msr.{name.lower()}" if name in _TYPES else UNKNOWN,
        identity=(
            hook.name,
            said,
            text(document.get("createdAt")) or "",
            hashlib.sha256(canonical.encode()).hexdigest(),
        ),
        subject=_subject(hook, post),
        summary=summary,
        happened_at=moment(document.get("createdAt")) or at,
        details=details.plain(),
        severity=Severity.WARNING if getattr(details, "success", None) is False else None,
    )
    return Report(hook.watch, at, (), facts=(fact,), complete=False, idle=True)


def _common(
    hook: Hook, name: str, document: Mapping[str, Any], contents: Contents, canonical: str
) -> dict[str, Any]:
    kept = bool(contents) and len(canonical) <= _CONTENTS
    return {
        "hook": hook.name,
        "msr_type": name,
        "author": text(contents.get("author")),
        "location": address(document.get("location")),
        "msr_version": text(document.get("msrVersion")) or text(document.get("dtrVersion")),
        "contents": dict(contents) if kept else None,
    }


def _name(contents: Contents) -> str:
    namespace, repository = text(contents.get("namespace")), text(contents.get("repository"))
    if repository is None:
        return ""
    return repository if namespace is None or "/" in repository else f"{namespace}/{repository}"


def _subject(hook: Hook, post: _Post) -> Subject:
    if not post.repository and (post.type not in _TYPES or post.type == "SCANNER_UPDATE_COMPLETED"):
        return Subject(SubjectKind.CLUSTER, hook.cluster)
    return Subject(SubjectKind.REPOSITORY, post.repository)


def _image(post: _Post) -> str:
    """Return what people call the image: ``namespace/name:tag``, or with the beginning of its digest."""
    tag, digest = post.text("tag"), post.text("digest")
    where = post.repository or post.text("imageName") or "without a name"
    if tag:
        return f"{where}:{tag}"
    return f"{where}@{digest[:19]}" if digest else where


def _about_image(post: _Post, kind: type[h.ImagePosted], **more: Any) -> h.ImagePosted:
    return kind(
        **post.common,
        tag=post.text("tag"),
        digest=post.text("digest"),
        image=post.text("imageName"),
        os=post.text("os"),
        architecture=post.text("architecture"),
        **more,
    )


def _version(value: object) -> str | None:
    number = count(value)
    return text(value, 100) if number is None else str(number)
