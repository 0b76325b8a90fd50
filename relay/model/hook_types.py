"""The event types of what others post to the relay's hooks; rows of the catalogue."""

from typing import Final

from relay.model import hook_details as h
from relay.model.details import Details
from relay.model.event import SubjectKind
from relay.model.severity import Severity

Row = tuple[str, str, Severity, SubjectKind, type[Details]]

_K, _S = SubjectKind, Severity

UNKNOWN: Final = "msr.event"
"""What MSR posts under a type that this version does not know."""
ALERT: Final = "alertmanager.alert"
UNREADABLE: Final = "hook.unreadable"

ONCE: Final[tuple[Row, ...]] = (
    ("msr.tag_push", "A tag was pushed, as MSR posted it.", _S.INFO, _K.REPOSITORY, h.ImagePosted),
    ("msr.tag_pull", "A tag was pulled, as MSR posted it.", _S.INFO, _K.REPOSITORY, h.ImagePosted),
    ("msr.tag_delete", "A tag was deleted, as MSR posted it.", _S.WARNING, _K.REPOSITORY, h.ImagePosted),
    ("msr.manifest_push", "A manifest was pushed, as MSR posted it.", _S.INFO, _K.REPOSITORY, h.ImagePosted),
    ("msr.manifest_pull", "A manifest was pulled, as MSR posted it.", _S.INFO, _K.REPOSITORY, h.ImagePosted),
    (
        "msr.manifest_delete",
        "A manifest was deleted, as MSR posted it: every tag of it is gone with it.",
        _S.WARNING,
        _K.REPOSITORY,
        h.ImagePosted,
    ),
    (
        "msr.scan_completed",
        "An image was scanned for vulnerabilities, as MSR posted it.",
        _S.INFO,
        _K.REPOSITORY,
        h.ScanPosted,
    ),
    (
        "msr.scan_failed",
        "An image could not be scanned for vulnerabilities, as MSR posted it.",
        _S.WARNING,
        _K.REPOSITORY,
        h.ScanPosted,
    ),
    (
        "msr.promotion",
        "An image was promoted to another repository, as MSR posted it.",
        _S.INFO,
        _K.REPOSITORY,
        h.ImagePosted,
    ),
    (
        "msr.push_mirroring",
        "An image was mirrored to another registry, as MSR posted it.",
        _S.INFO,
        _K.REPOSITORY,
        h.ImagePosted,
    ),
    (
        "msr.poll_mirroring",
        "An image was mirrored from another registry, as MSR posted it.",
        _S.INFO,
        _K.REPOSITORY,
        h.ImagePosted,
    ),
    ("msr.repo_created", "A repository was created, as MSR posted it.", _S.INFO, _K.REPOSITORY, h.MsrPosted),
    (
        "msr.repo_updated",
        "The settings of a repository were changed, as MSR posted it.",
        _S.INFO,
        _K.REPOSITORY,
        h.MsrPosted,
    ),
    (
        "msr.repo_deleted",
        "A repository was deleted with all its tags, as MSR posted it.",
        _S.WARNING,
        _K.REPOSITORY,
        h.MsrPosted,
    ),
    (
        "msr.scanner_update_completed",
        "The scanner's database was updated, as MSR posted it; a warning if that failed.",
        _S.INFO,
        _K.CLUSTER,
        h.ScannerPosted,
    ),
    ("msr.chart_push", "A Helm chart was pushed, as MSR posted it.", _S.INFO, _K.REPOSITORY, h.ChartPosted),
    ("msr.chart_pull", "A Helm chart was pulled, as MSR posted it.", _S.INFO, _K.REPOSITORY, h.ChartPosted),
    (
        "msr.chart_delete",
        "A Helm chart was deleted, as MSR posted it.",
        _S.WARNING,
        _K.REPOSITORY,
        h.ChartPosted,
    ),
    (
        "msr.chart_linted",
        "A Helm chart was checked, as MSR posted it.",
        _S.INFO,
        _K.REPOSITORY,
        h.ChartPosted,
    ),
    (
        UNKNOWN,
        "MSR posted something of a type that this version of the relay does not know.",
        _S.WARNING,
        _K.REPOSITORY,
        h.MsrPosted,
    ),
    (
        UNREADABLE,
        "Something was posted to a hook that cannot be understood: whatever it told is not told. At most "
        "once an hour for each hook; the log has more.",
        _S.WARNING,
        _K.HOOK,
        h.HookUnreadable,
    ),
)
"""One-off events."""

LASTING: Final[tuple[Row, ...]] = (
    (
        ALERT,
        "An alert that Alertmanager posted: it fires and resolves as Alertmanager says. Its label "
        "`severity`, if that is a usual word, decides how bad it is.",
        _S.WARNING,
        _K.INSTANCE,
        h.AlertmanagerAlert,
    ),
)
"""Alerts: what is posted of one says whether it fires or has ended."""

_POSTED: Final = frozenset(row[0] for row in LASTING)


def posted(type_name: str) -> bool:
    """Tell whether others post the alerts of a type. Nobody looks for them again: they are as last told."""
    return type_name in _POSTED
