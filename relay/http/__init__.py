"""The one way out of the product: every HTTP request that the relay makes goes through `Http.send`.

It bounds every answer in size and time, follows no redirect, repeats nothing by itself, guards against
private addresses, and never puts more of a URL into a message than `scheme://host:port`: the rest may be a
secret.
"""

from relay.http.answer import Answer
from relay.http.client import Http
from relay.http.errors import HttpError, Reason
from relay.http.redact import Redactor, origin, redact
from relay.http.retry_after import LONGEST_WAIT, retry_after
from relay.http.route import Route

__all__ = [
    "LONGEST_WAIT",
    "Answer",
    "Http",
    "HttpError",
    "Reason",
    "Redactor",
    "Route",
    "origin",
    "redact",
    "retry_after",
]
