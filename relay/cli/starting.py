"""``msr-relay init``: the files to begin with."""

from pathlib import Path

from rich.text import Text

from relay.cli.output import console
from relay.model.errors import Exit, RelayError

RELAY_YAML = """\
# MSR Relay: what is watched, where messages go, and which.
# `msr-relay check` says what is wrong with this file, with line and column.
# ${NAME} is taken from the environment or from .env beside this file.

store: sqlite:///relay.db

clusters:
  - name: prod
    url: https://msr.example.com
    # One URL per replica: then each is watched by itself.
    # replicas: [https://msr-1.example.com, https://msr-2.example.com, https://msr-3.example.com]
    username: relay                # an administrator sees everything
    password: ${MSR_PASSWORD}
    # ca_file: msr-ca.pem          # the CA that signed MSR's certificate
    # repositories: [prod/app]     # without an administrator: those that the user may read
    # watch: {cluster_status: off, changefeed: {every: 15s, start: newest}}

channels:
  - {name: security, kind: slack, webhook_url: "${SLACK_WEBHOOK_URL}"}
  # - {name: soc, kind: webhook, url: https://soc.example.com/hooks/msr, secrets: ["${SOC_SECRET}"]}
  # - name: oncall
  #   kind: email
  #   smtp: {host: smtp.example.com, port: 587, tls: starttls, username: relay, password: "${SMTP_PASSWORD}"}
  #   from: MSR Relay <relay@example.com>
  #   to: [oncall@example.com]
  # - {name: phones, kind: apprise, urls: ["${APPRISE_URL}"]}

# Without rules, everything of severity warning or worse goes to every channel.
rules:
  - name: trust deletions
    match: {type: trust.deleted}
    channels: [security]
  - name: trouble
    match: {severity: ">= warning", type: "!trust.*"}
    channels: [security]

# alerts:
#   nginx.saturated: {for: 1m, keep_firing_for: 5m}
# server: {listen: 127.0.0.1:8080}
"""

DOTENV = """\
# Secrets of relay.yaml. Nobody else should be able to read this file.
MSR_PASSWORD=
SLACK_WEBHOOK_URL=
"""


class ExistsError(RelayError):
    """A file that would be written is there already."""


def init(folder: Path, *, force: bool) -> Exit:
    """Write relay.yaml and .env. Raises ExistsError rather than overwrite one."""
    files = {folder / "relay.yaml": (RELAY_YAML, 0o644), folder / ".env": (DOTENV, 0o600)}
    taken = [str(path) for path in files if path.exists()]
    if taken and not force:
        raise ExistsError(f"{' and '.join(taken)} exist already; use --force to overwrite")
    folder.mkdir(parents=True, exist_ok=True)
    for path, (text, mode) in files.items():
        path.touch(mode)
        path.chmod(mode)
        path.write_text(text)
    out = console()
    out.print(Text(f"Wrote {' and '.join(str(path) for path in files)}."))
    out.print(Text("Next: fill in both files, then run msr-relay check --live"))
    return Exit.OK
