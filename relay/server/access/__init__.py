"""Who may: from a request to a principal, what each scope is for, and our own forms."""

from relay.server.access.forms import form
from relay.server.access.gate import Access, form_token, require
from relay.server.access.listening import check_listening
from relay.server.access.sessions import Sessions

__all__ = [
    "Access",
    "Sessions",
    "check_listening",
    "form",
    "form_token",
    "require",
]
