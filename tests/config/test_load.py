"""The layers and their order, `.env`, the look-up of the file, warnings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from relay.config import find
from relay.config.variables import MAX_BYTES
from relay.model.errors import ConfigError
from tests.config.sample import SAMPLE, VARIABLES, Settings, loaded, write


def test_the_sample_is_loaded(tmp_path: Path) -> None:
    result = loaded(write(tmp_path, SAMPLE))
    found = result.settings
    assert found.clusters[0].password.get_secret_value() == VARIABLES["PROD_PASSWORD"]
    assert found.clusters[0].watch.cluster_status == "off"
    assert found.channels[2].smtp.password.get_secret_value() == "12345"  # type: ignore[union-attr]
    assert found.rules[1].match.severity == ">= critical"
    assert result.warnings == ()
    assert result.document.where(("rules", 0, "channels", 1)) == f"{tmp_path}/relay.yaml:32:26"


def test_environment_over_dotenv_over_file_over_defaults(tmp_path: Path) -> None:
    text = SAMPLE + "store: from-file\n"
    path = write(tmp_path, text.replace("store: sqlite:///relay.db            # or postgresql://…\n", ""))
    dotenv = write(tmp_path, "RELAY_STORE=from-dotenv\n\n# note\nRELAY_SERVER__LISTEN='dotenv:1'\n", ".env")
    environ = {**VARIABLES, "RELAY_STORE": "from-environment"}
    assert loaded(write(tmp_path, SAMPLE.split("\n", 1)[1], "d.yaml")).settings.store == "sqlite:///relay.db"
    assert loaded(path).settings.store == "from-file"
    assert loaded(path, dotenv=dotenv).settings.store == "from-dotenv"
    result = loaded(path, environ, dotenv)
    assert (result.settings.store, result.settings.server.listen) == ("from-environment", "dotenv:1")
    assert result.document.where(("server", "listen")) == ".env line 4"
    assert result.document.where(("store",)) == "environment variable RELAY_STORE"


def test_references_take_the_environment_over_dotenv(tmp_path: Path) -> None:
    dotenv = write(tmp_path, 'PROD_PASSWORD="dot $HOME ${X} #env"\nSMTP_PASSWORD=dot # note\n', ".env")
    environ = {key: value for key, value in VARIABLES.items() if key != "PROD_PASSWORD"}
    found = loaded(write(tmp_path, SAMPLE), environ, dotenv).settings
    assert found.clusters[0].password.get_secret_value() == "dot $HOME ${X} #env"
    assert found.channels[2].smtp.password.get_secret_value() == "12345"  # type: ignore[union-attr]


def test_an_unset_reference_does_no_harm_where_a_variable_replaced_it(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE.replace("${PROD_PASSWORD}", "${NONE}"))
    environ = {**VARIABLES, "RELAY_CLUSTERS__PROD__PASSWORD": "set"}
    assert loaded(path, environ).settings.clusters[0].password.get_secret_value() == "set"


def test_lines_of_dotenv_that_cannot_be_read(tmp_path: Path) -> None:
    dotenv = write(tmp_path, "A=1\n\n\nhunter2 x\nB='open\nC\n# fine\nexport D=1\n", ".env")
    with pytest.raises(ConfigError) as caught:
        loaded(None, {}, dotenv)
    lines = str(caught.value).splitlines()
    assert lines == [f".env line {n}: is not NAME=value; put # before a comment" for n in (4, 5, 6)]


def test_a_dotenv_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE)
    assert loaded(path, dotenv=tmp_path / "none").settings == loaded(path).settings
    (tmp_path / "binary").write_bytes(b"A=\xff")
    (tmp_path / "large").write_bytes(b"#" * (MAX_BYTES + 1))
    for name, part in [
        ("binary", "is not UTF-8"),
        ("large", "is larger than 1 MiB"),
        (".", "cannot be read"),
    ]:
        with pytest.raises(ConfigError, match=part):
            loaded(path, dotenv=tmp_path / name)


def test_unknown_names_in_dotenv_are_told_by_their_line(tmp_path: Path) -> None:
    dotenv = write(tmp_path, "# mine\nRELAY_STOER=x\n", ".env")
    with pytest.raises(ConfigError) as caught:
        loaded(write(tmp_path, SAMPLE), dotenv=dotenv)
    assert str(caught.value) == ".env line 2: RELAY_STOER: unknown variable; did you mean RELAY_STORE?"


def test_dotenv_alone_is_enough(tmp_path: Path) -> None:
    dotenv = write(
        tmp_path,
        "RELAY_MSR_URL=https://msr.example.com\nRELAY_MSR_USERNAME=u\nRELAY_MSR_PASSWORD='p'\nRELAY_SLACK_WEBHOOK_URL=\n",
        ".env",
    )
    found = loaded(None, {}, dotenv).settings
    assert [c.name for c in found.clusters] == ["msr"]
    assert found.channels == []


def test_the_environment_is_read_through_the_loader_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE", "stray")
    monkeypatch.setenv("store", "stray")
    cluster = {"name": "a", "username": "u", "password": "p"}
    assert Settings.model_validate({"clusters": [cluster]}).store == "sqlite:///relay.db"
    with pytest.raises(ValidationError):
        Settings.model_validate({"clusters": [cluster], "stray": "x"})


def test_options_of_pydantic_settings_are_unknown_keys(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE + "_env_file: other\n_case_sensitive: true\ntree: 1\n")
    with pytest.raises(ConfigError) as caught:
        loaded(path)
    keys = [line.split(": ")[1] for line in str(caught.value).splitlines()]
    assert keys == ["_env_file", "_case_sensitive", "tree"]


def test_a_written_secret_that_everybody_can_read_is_warned_of(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE.replace("${PROD_PASSWORD}", "hunter2"))
    assert loaded(path).warnings == ()
    path.chmod(0o644)
    (warning,) = loaded(path).warnings
    assert (warning.where, warning.key) == (f"{path}:11:15", "clusters[prod].password")
    assert "hunter2" not in str(warning)
    dotenv = write(tmp_path, "X=1\n", ".env")
    dotenv.chmod(0o604)
    assert [w.where for w in loaded(write(tmp_path, SAMPLE), dotenv=dotenv).warnings] == [str(dotenv)]


def test_the_file_is_looked_up_in_order(tmp_path: Path) -> None:
    option, named, first, second = (tmp_path / name for name in ("option", "named", "first", "second"))
    places = (first, second)
    assert find(None, {}, places) is None
    for path in (second, first, named, option):
        path.touch()
    assert find(option, {"RELAY_CONFIG": str(named)}, places) == option
    assert find(None, {"RELAY_CONFIG": str(named)}, places) == named
    assert find(None, {"RELAY_CONFIG": ""}, places) == first
    first.unlink()
    assert find(None, {}, places) == second


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    there = write(tmp_path, "", "there")
    with pytest.raises(ConfigError, match=r"^--config: the file .*gone does not exist"):
        find(tmp_path / "gone", {}, (there,))
    with pytest.raises(ConfigError, match=r"^RELAY_CONFIG: the file .*gone does not exist"):
        find(None, {"RELAY_CONFIG": str(tmp_path / "gone")}, (there,))
