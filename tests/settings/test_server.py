"""The settings of the listener: who is let in, how long links last, what crosses the network in clear."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from relay.app.build import secrets
from relay.model.access import Scope
from relay.model.errors import ConfigError
from tests.settings.conftest import Reading
from tests.settings.test_checks import GOOD, warnings


def server(options: str) -> str:
    return f"{GOOD}server: {{{options}}}\n"


def test_what_holds_without_any(reading: Reading) -> None:
    found = reading(GOOD).settings.server
    assert (found.link_expires, found.api_token) == (timedelta(days=3), None)


def test_the_token_can_be_a_file_and_is_a_secret(reading: Reading, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token-for-programs\n")
    found = reading(server(f"api_token_file: {tmp_path / 'token'}")).settings
    assert found.server.api_token is not None
    assert found.server.api_token.get_secret_value() == "a-token-for-programs"
    assert "a-token-for-programs" in secrets(found)
    assert "a-token-for-programs" not in repr(found)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("api_token: fifteen-letters", "server.api_token: must have at least 16 characters"),
        ("api_token: sixteen letters and blanks", "server.api_token: may have letters, digits and"),
        ("api_token: sechzehn-und-umläute", "server.api_token: may have letters, digits and"),
        ("api_token: ''", "server.api_token: must have at least 16 characters"),
        ("link_expires: 0s", "server.link_expires: must be more than 0s"),
        ("session_expires: 59s", "server.session_expires: must be at least 1m"),
        ("anonymous: admin", "server.anonymous: must be one of"),
        ("listen: '0.0.0.0:80', anonymous: read", "server: anonymous: read lets in everybody who reaches"),
        (
            "anonymous: operate, public_url: 'https://relay.example.com'",
            "server: anonymous: operate together with public_url lets in everybody who reaches",
        ),
        ("anonymous: read, public_url: 'https://relay.example.com'", "or write insecure: true as well"),
        ("trusted_proxy: {}", "server.trusted_proxy.addresses: is missing"),
        ("trusted_proxy: {addresses: []}", "server.trusted_proxy.addresses: must"),
        ("trusted_proxy: {addresses: [proxy]}", "server.trusted_proxy.addresses[0]: must be an IP address"),
        ("trusted_proxy: {addresses: [10.0.0.1/8]}", "(without host bits)"),
        ("trusted_proxy: {addresses: ['::/0']}", "would let anybody say who they are"),
        ("trusted_proxy: {addresses: [10.0.0.1], user_header: 'a b'}", "must be a header's name"),
        ("trusted_proxy: {addresses: [10.0.0.1], groups: {a: admin}}", "without groups_header"),
    ],
)
def test_what_cannot_be_used_is_told_without_the_secret(reading: Reading, options: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reading(server(options))
    said = str(caught.value)
    assert told in said
    for secret in ("fifteen-letters", "sixteen letters", "umläute"):
        assert secret not in said


@pytest.mark.parametrize("url", ["http://relay.example.com", "http://192.168.1.7:8080"])
def test_links_in_clear_are_warned_of(reading: Reading, url: str) -> None:
    (told,) = warnings(reading, server(f"public_url: '{url}'"))
    assert told.startswith("relay.yaml:7:22: server.public_url: links and tokens cross the network in clear")


@pytest.mark.parametrize(
    "url",
    ["https://relay.example.com", "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"],
)
def test_others_are_not(reading: Reading, url: str) -> None:
    assert warnings(reading, server(f"public_url: '{url}'")) == []


@pytest.mark.parametrize("more", ["anonymous: 'off'", "anonymous: operate, insecure: true"])
def test_who_is_let_in_by_public_url_was_meant(reading: Reading, more: str) -> None:
    found = reading(server(f"{more}, public_url: 'https://relay.example.com'")).settings.server
    assert found.public_url == "https://relay.example.com"


def test_a_proxy_may_be_trusted(reading: Reading) -> None:
    proxy = "addresses: [127.0.0.1, 10.1.0.0/16], groups_header: X-Forwarded-Groups, groups: {ops: operate}"
    found = reading(server(f"trusted_proxy: {{{proxy}}}")).settings.server.trusted_proxy
    assert found is not None
    assert [str(each) for each in found.networks] == ["127.0.0.1/32", "10.1.0.0/16"]
    assert (found.user_header, found.scope, found.groups) == (
        "X-Forwarded-User",
        Scope.READ,
        {"ops": Scope.OPERATE},
    )


@pytest.mark.parametrize("word", ["off", "'off'", "false"])
def test_off_is_off_however_yaml_reads_it(reading: Reading, word: str) -> None:
    assert reading(server(f"anonymous: {word}")).settings.server.anonymous == "off"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("anonymous: read", "server.anonymous: nobody has to log in"),
        ("listen: '0.0.0.0:80', insecure: true", "server.insecure: it starts even if nobody can log in"),
    ],
)
def test_what_lets_everybody_in_is_warned_of(reading: Reading, options: str, told: str) -> None:
    (found,) = warnings(reading, server(options))
    assert told in found


def test_the_examples_of_the_documentation_can_be_used(reading: Reading) -> None:
    text = (Path(__file__).parents[2] / "docs/how-to/let-people-in.md").read_text()
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        assert reading(GOOD + example).settings.server.public_url == "https://relay.example.com"
        assert warnings(reading, GOOD + example) == []
