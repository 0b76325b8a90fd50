"""What a running relay does not import, because its settings do not need it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.real.loops import free_port

_RUN = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules)))
from relay.cli import main
main()
"""
_CLUSTER = {"name": "prod", "url": "http://127.0.0.1:9", "username": "relay", "password": "pw"}
_HOOK = {"name": "soc", "kind": "webhook", "url": "http://127.0.0.1:9/"}
_MAIL = {
    "name": "oncall",
    "kind": "email",
    "smtp": {"host": "127.0.0.1", "port": 9, "tls": "none"},
    "from": "relay@example.com",
    "to": ["oncall@example.com"],
}
_APPRISE = {"name": "phones", "kind": "apprise", "urls": ["json://127.0.0.1:9"]}
_NEVER = {
    "alembic",
    "rich",
    "pygments",
    "mako",
    "trustme",
    "aiosmtpd",
    "opentelemetry",
    "psycopg",
    "relay.demo",
}
_WHERE_CONFIGURED = {"apprise", "cryptography"}
"""Those that some settings need: notary's keys, signatures, and Apprise's services."""


def modules(folder: Path, *channels: object) -> set[str]:
    """Runs a relay on an empty store until it is running; returns what it had imported when it ended."""
    file = folder / "relay.yaml"
    settings = {
        "store": f"sqlite:///{folder}/relay.db",
        "server": {"listen": f"127.0.0.1:{free_port()}"},
        "clusters": [_CLUSTER],
        "channels": channels,
    }
    file.write_text(yaml.safe_dump(settings))
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, "run", "--config", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    assert process.stderr is not None
    log = []
    for line in process.stderr:
        log.append(line)
        if '"event": "running"' in line:
            process.send_signal(signal.SIGTERM)
            break
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 0, "".join(log) + rest
    return set(out.split())


@pytest.mark.parametrize("channels", [(_HOOK,), (_HOOK, _MAIL)], ids=["webhook", "webhook and mail"])
def test_what_is_not_configured_is_not_imported(tmp_path: Path, channels: tuple[object, ...]) -> None:
    found = modules(tmp_path, *channels)
    assert "sqlalchemy" in found, "the list is that of a relay that ran"
    assert not found & (_NEVER | _WHERE_CONFIGURED)


def test_what_is_configured_is_imported(tmp_path: Path) -> None:
    found = modules(tmp_path, _APPRISE)
    assert not found & _NEVER
