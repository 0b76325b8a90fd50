"""`init` writes what passes `check` once it is filled in; `.env.example` alone is enough."""

import base64
import re
import stat
from pathlib import Path

import pytest

from relay.cli.scaffold import ENV_EXAMPLE, RELAY_YAML
from relay.model.errors import Exit
from relay.settings import Configuration, read
from relay.settings.shorthands import SHORTHANDS
from tests.cli.conftest import Shell

_SLACK = "https://hooks.slack.com/services/T0/B0/abc"


def fill_in(folder: Path) -> None:
    file = folder / ".env"
    text = file.read_text().replace("MSR_PASSWORD=", "MSR_PASSWORD=secret")
    file.write_text(text.replace("SLACK_WEBHOOK_URL=", f"SLACK_WEBHOOK_URL={_SLACK}"))


def test_filled_in_it_passes_check(shell: Shell) -> None:
    assert shell.run("init").status == 0
    fill_in(shell.folder)
    ended = shell.run("check", "--json")
    assert ended.status == 0, ended
    assert [each["name"] for each in ended.json["clusters"]] == ["prod"]
    assert [each["kind"] for each in ended.json["channels"]] == ["slack"]
    # The one warning says what listing the replicas is good for.
    assert [each["key"] for each in ended.json["warnings"]] == ["clusters[prod]"]


def test_only_the_owner_may_read_them(shell: Shell) -> None:
    shell.run("init")
    for name in ("relay.yaml", ".env"):
        assert stat.S_IMODE((shell.folder / name).stat().st_mode) == 0o600


def test_everything_that_is_commented_out_is_right(shell: Shell) -> None:
    shell.run("init")
    fill_in(shell.folder)
    code = re.compile(r"^( *)# ((?:- |  )?[a-z]+:(?: |$).*|  .*)$", re.MULTILINE)
    file = shell.folder / "relay.yaml"
    file.write_text(code.sub(r"\1\2", RELAY_YAML))
    secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
    env = {"SOC_SECRET": secret, "SMTP_PASSWORD": "p", "HOOK_SECRET": "7f3a9c0d5e8b41e2a6d4c3b2f1e0d9c8"}
    ended = shell.run("check", "--json", env=env)
    assert ended.status == 0, ended
    assert [each["name"] for each in ended.json["channels"]] == ["security", "soc", "oncall"]
    assert [each["name"] for each in ended.json["rules"]] == ["trust deletions", "trouble"]


def test_nothing_is_overwritten(shell: Shell) -> None:
    (shell.folder / ".env").write_text("MINE=1\n")
    ended = shell.run("init")
    assert ended.status == Exit.FAILED
    assert ".env exists already" in ended.err
    assert (shell.folder / ".env").read_text() == "MINE=1\n"
    assert not (shell.folder / "relay.yaml").exists()
    assert shell.run("init", "--force").status == 0
    assert "MINE" not in (shell.folder / ".env").read_text()


def test_another_folder(shell: Shell) -> None:
    ended = shell.run("init", "--dir", "new/place")
    assert (shell.folder / "new/place/relay.yaml").exists()
    assert "cd new/place && msr-relay check --live" in ended.out


def load(folder: Path, text: str) -> Configuration:
    dotenv = folder / ".env"
    dotenv.write_text(text)
    dotenv.chmod(0o600)
    return read(None, {}, dotenv)


@pytest.mark.parametrize("bot", [False, True])
def test_the_example_filled_in_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bot: bool) -> None:
    monkeypatch.chdir(tmp_path)
    lines = re.sub(r"^#(RELAY_)", r"\1", ENV_EXAMPLE, flags=re.MULTILINE).splitlines()
    unwanted = "RELAY_SLACK_WEBHOOK" if bot else ("RELAY_SLACK_TOKEN", "RELAY_SLACK_CHANNEL")
    configuration = load(tmp_path, "\n".join(line for line in lines if not line.startswith(unwanted)))
    settings = configuration.settings
    (cluster,) = settings.clusters
    assert cluster.repositories == ["prod/app", "prod/api"]
    assert len(cluster.replicas) == 2
    kinds = sorted(channel.kind for channel in settings.destinations)
    assert kinds == ["apprise", "email", "slack", "webhook"]
    assert configuration.unwise == ()


def test_the_example_as_it_is_configures_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(tmp_path, ENV_EXAMPLE).settings
    assert [cluster.entry for cluster in settings.clusters] == ["https://msr.example.com"]
    assert settings.channels == []


def test_the_example_has_every_short_name() -> None:
    named = set(re.findall(r"^#?(RELAY_\w+)=", ENV_EXAMPLE, re.MULTILINE))
    assert named == set(SHORTHANDS)


def test_the_schema_takes_what_init_writes(shell: Shell) -> None:
    import jsonschema
    import yaml

    schema = shell.run("schema").json
    jsonschema.validate(yaml.safe_load(RELAY_YAML), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"chanels": []}, schema)
