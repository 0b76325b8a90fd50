"""A real Alertmanager on loopback that posts to one webhook; it stands alone, without a cluster."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.real import parts
from tests.real.loops import free_port

_PATIENCE = 30.0
_AGAIN = 0.05


class Alertmanager:
    """The program, with its state in a folder. It notifies at once, and again after a moment."""

    def __init__(self, folder: Path, webhook: dict[str, Any]) -> None:
        self._program = parts.need("prometheus-alertmanager")["prometheus-alertmanager"]
        self._folder = folder
        self._config = folder / "alertmanager.yml"
        quick = {"group_wait": "10ms", "group_interval": "200ms", "repeat_interval": "1h"}
        route = {"receiver": "msr-relay", "group_by": ["cluster"], **quick}
        receivers = [{"name": "msr-relay", "webhook_configs": [webhook]}]
        self._config.write_text(yaml.safe_dump({"route": route, "receivers": receivers}))
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = folder / "alertmanager.log"
        self._process = self._start()
        self._wait_until_ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    def fire(self, name: str, labels: dict[str, str] | None = None, **annotations: str) -> None:
        """Raise an alert, as Prometheus does; it stays until `resolve`."""
        self._post(name, labels or {}, annotations, datetime.now(UTC) + timedelta(hours=1))

    def resolve(self, name: str, labels: dict[str, str] | None = None, **annotations: str) -> None:
        """Tell that an alert is over."""
        self._post(name, labels or {}, annotations, datetime.now(UTC))

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [
            str(self._program),
            f"--config.file={self._config}",
            f"--storage.path={self._folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--cluster.listen-address=",
        ]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=_PATIENCE):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(_AGAIN)
        self.close()
        raise AssertionError(f"Alertmanager did not start:\n{self.log()[-4000:]}")

    def _post(
        self, name: str, labels: dict[str, str], annotations: dict[str, str], ends_at: datetime
    ) -> None:
        alert = {
            "labels": {"alertname": name, **labels},
            "annotations": annotations,
            "endsAt": ends_at.isoformat(),
            "generatorURL": "https://prometheus.example.com/graph",
        }
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts",
            data=json.dumps([alert]).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            assert answer.status == 200
