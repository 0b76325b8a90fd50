"""The settings of one hook."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from relay.config import Section
from relay.hooks import Hook, HookKind

_SECRET: Final = re.compile(r"[A-Za-z0-9._~-]+")
"""What stands in the path of a URL as it is (RFC 3986, 2.3)."""
_LENGTH: Final = 16


def _check_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if len(text) < _LENGTH:
        raise ValueError(f"must have at least {_LENGTH} characters: openssl rand -hex 32 makes a good one")
    if not _SECRET.fullmatch(text):
        raise ValueError("may have letters, digits and . _ ~ - only: it may stand in a URL")
    return secret


class HookSettings(Section):
    """Who may post to `/hooks/NAME`, and of which cluster that tells."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
    """What its URL, `/hooks/NAME`, and messages call it."""
    kind: HookKind
    """`msr`: MSR's own webhooks; `alertmanager`: a receiver of Alertmanager (`webhook_configs`)."""
    cluster: str
    """The cluster that it tells of: its events get the cluster's name, labels and annotations."""
    secret: Annotated[SecretStr, AfterValidator(_check_secret)]
    """What the sender proves itself with: `Authorization: Bearer SECRET`, or `/hooks/NAME/SECRET` where
    it can be given nothing but a URL. At least 16 characters. Also as `secret_file`."""

    def built(self) -> Hook:
        """Return the hook."""
        return Hook(self.name, self.kind, self.cluster, self.secret)
