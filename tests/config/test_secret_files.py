"""`X_file` beside a secret X."""

import os
from pathlib import Path

import pytest

from relay.config.secret_files import MAX_BYTES
from relay.model.errors import ConfigError
from tests.config.sample import SAMPLE, VARIABLES, Settings, loaded, write


def with_file(folder: Path, line: str) -> Path:
    return write(folder, SAMPLE.replace("password: ${PROD_PASSWORD}", line))


def password(found: Settings) -> str:
    return found.clusters[0].password.get_secret_value()


def refusal(path: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(path, {**VARIABLES, **environ})
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"a\n\n", "a\n"),
        (b" a ", " a "),
        ("ü".encode(), "ü"),
        (b"${PROD_PASSWORD}", "${PROD_PASSWORD}"),
    ],
)
def test_one_newline_is_stripped_and_nothing_else(tmp_path: Path, raw: bytes, secret: str) -> None:
    (tmp_path / "prod").write_bytes(raw)
    result = loaded(with_file(tmp_path, "password_file: prod"))
    assert password(result.settings) == secret
    assert result.document.where(("clusters", 0, "password")).endswith("relay.yaml:11:20")


def test_a_list_of_secrets_has_one_per_line(tmp_path: Path) -> None:
    write(tmp_path, "one,1\n\n  two\n", "keys")
    path = write(tmp_path, SAMPLE.replace('secrets: ["${SOC_SECRET}"]', "secrets_file: keys"))
    soc = loaded(path).settings.channels[1]
    assert [s.get_secret_value() for s in soc.secrets] == ["one,1", "two"]  # type: ignore[union-attr]


def test_deep_secrets_and_links(tmp_path: Path) -> None:
    write(tmp_path, "mail", "target")
    (tmp_path / "link").symlink_to("target")
    path = write(tmp_path, SAMPLE.replace('password: "${SMTP_PASSWORD}"', "password_file: link"))
    assert loaded(path).settings.channels[2].smtp.password.get_secret_value() == "mail"  # type: ignore[union-attr]


def test_a_variable_names_a_file_from_the_working_directory(tmp_path: Path) -> None:
    secret = write(tmp_path, "from-variable", "secret")
    path = write(tmp_path, SAMPLE)
    relative = os.path.relpath(secret)
    found = loaded(path, {**VARIABLES, "RELAY_CLUSTERS__PROD__PASSWORD_FILE": relative}).settings
    assert password(found) == "from-variable"


def test_a_variable_wins_over_the_files_secret_file_and_the_reverse(tmp_path: Path) -> None:
    write(tmp_path, "from-file", "prod")
    by_file = with_file(tmp_path, "password_file: prod")
    assert password(loaded(by_file, {**VARIABLES, "RELAY_CLUSTERS__PROD__PASSWORD": "v"}).settings) == "v"
    dotenv = write(tmp_path, "RELAY_CLUSTERS__PROD__PASSWORD=dotenv\n", ".env")
    environ = {**VARIABLES, "RELAY_CLUSTERS__PROD__PASSWORD_FILE": str(tmp_path / "prod")}
    assert password(loaded(write(tmp_path, SAMPLE), environ, dotenv).settings) == "from-file"


def test_both_in_one_layer_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "x", "prod")
    line = refusal(with_file(tmp_path, "password: hunter2\n    password_file: prod"))
    assert 'relay.yaml:12:20: clusters[prod].password_file: is given beside "password"' in line
    line = refusal(
        write(tmp_path, SAMPLE),
        RELAY_CLUSTERS__PROD__PASSWORD="hunter2",
        RELAY_CLUSTERS__PROD__PASSWORD_FILE="prod",
    )
    assert line.startswith("environment variable RELAY_CLUSTERS__PROD__PASSWORD_FILE: ")
    assert "hunter2" not in line


def test_what_is_wrong_with_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "large").write_bytes(b"x" * (MAX_BYTES + 1))
    (tmp_path / "largest").write_bytes(b"x" * MAX_BYTES)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, part in [
        ("none", "cannot be read: No such file or directory"),
        ("empty", "is empty"),
        ("large", "is larger than 64 KiB"),
        ("binary", "is not UTF-8"),
        ("pipe", "is not a regular file"),
        ("folder", "is not a regular file"),
    ]:
        line = refusal(with_file(tmp_path, f"password_file: {name}"))
        assert f"relay.yaml:11:20: clusters[prod].password_file: the file {tmp_path / name} {part}" in line
    assert len(password(loaded(with_file(tmp_path, "password_file: largest")).settings)) == MAX_BYTES


@pytest.mark.parametrize("value", ["[a]", "{a: b}", "12", "", '"\\0"'])
def test_what_is_no_path(tmp_path: Path, value: str) -> None:
    assert "clusters[prod].password_file: " in refusal(with_file(tmp_path, f"password_file: {value}"))


def test_a_path_from_a_variable_is_not_shown(tmp_path: Path) -> None:
    line = refusal(with_file(tmp_path, "password_file: ${PROD_PASSWORD}"))
    assert "the file cannot be read" in line
    assert VARIABLES["PROD_PASSWORD"] not in line


def test_an_unset_variable_is_told_once(tmp_path: Path) -> None:
    assert "the variable NONE is not set" in refusal(with_file(tmp_path, "password_file: ${NONE}"))


def test_only_secrets_have_files(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE.replace("username: relay\n", "username_file: x\n"))
    with pytest.raises(ConfigError, match="username_file: unknown key"):
        loaded(path)
