"""Where a running relay listens for this machine's own commands."""

import hashlib
import tempfile
from pathlib import Path

from relay.store.database import file_of, parse_url

_LONGEST = 100
"""A Unix socket's path may have 107 bytes on Linux and 103 on macOS."""
_SHORT = "/tmp"  # noqa: S108 - the name is the store's alone, and only its owner may connect


def control_socket(store: str) -> Path:
    """Return the control socket of the relay that runs on a store: beside its file, if it has one.

    Raises StoreError if the URL is not a store's.
    """
    url = parse_url(store)
    path = file_of(url)
    if path is not None:
        beside = path.resolve().with_name(path.name + ".sock")
        if len(str(beside).encode()) <= _LONGEST:
            return beside
    identity = str(path.resolve()) if path is not None else url.render_as_string(hide_password=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    name = f"msr-relay-{digest}.sock"
    usual = Path(tempfile.gettempdir(), name)
    # TMPDIR can be too long itself.
    return usual if len(str(usual).encode()) <= _LONGEST else Path(_SHORT, name)
