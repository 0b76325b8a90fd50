"""The client of Mirantis Secure Registry: typed answers, and errors that tell an operator what to do."""

from relay.msr.answers import (
    Category,
    ClusterStatus,
    Issue,
    NginxStatus,
    Page,
    Ping,
    Record,
    Replica,
    Unreadable,
)
from relay.msr.client import Msr
from relay.msr.errors import (
    BadAnswer,
    CursorRefused,
    MsrError,
    NoAccess,
    NotMsr,
    PasswordRefused,
    Throttled,
    TokenRefused,
    TooLong,
    Unreachable,
    Unwell,
)
from relay.msr.gun import Gun, split

__all__ = [
    "BadAnswer",
    "Category",
    "ClusterStatus",
    "CursorRefused",
    "Gun",
    "Issue",
    "Msr",
    "MsrError",
    "NginxStatus",
    "NoAccess",
    "NotMsr",
    "Page",
    "PasswordRefused",
    "Ping",
    "Record",
    "Replica",
    "Throttled",
    "TokenRefused",
    "TooLong",
    "Unreachable",
    "Unreadable",
    "Unwell",
    "split",
]
