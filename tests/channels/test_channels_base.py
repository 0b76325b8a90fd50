from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from relay.channels import KINDS, Rate, channel_type, kinds
from relay.channels.base import cut, secret_parts
from relay.channels.console import Console
from relay.channels.webhook import Webhook
from relay.model.errors import ConfigError


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_is_what_it_is_called(kind: str) -> None:
    found = channel_type(kind)
    assert found.model_fields["kind"].annotation.__args__ == (kind,)  # type: ignore[union-attr]
    assert found.PARTS


def test_an_unknown_kind_names_the_near_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'webhook'"):
        channel_type("webhok")
    with pytest.raises(ConfigError, match="apprise, console, email"):
        channel_type("carrier pigeon")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution of somebody else's, as pip would leave it."""
    info = tmp_path / "pigeons-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeons\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[msr_relay.channels]\npigeon = carrier_pigeon:Pigeon\nconsole = carrier_pigeon:Pigeon\n"
        "broken = carrier_pigeon:Nothing\nodd = carrier_pigeon:Path\n"
    )
    (tmp_path / "carrier_pigeon.py").write_text(
        "from pathlib import Path\nfrom relay.channels.console import Console\nclass Pigeon(Console): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    kinds.cache_clear()
    yield
    kinds.cache_clear()


@pytest.mark.usefixtures("installed")
def test_third_parties_add_kinds_but_replace_none() -> None:
    assert channel_type("pigeon").__name__ == "Pigeon"
    assert channel_type("console") is Console
    with pytest.raises(ConfigError, match="cannot be loaded from carrier_pigeon:Nothing"):
        channel_type("broken")
    with pytest.raises(ConfigError, match=r"is no relay.channels.Channel"):
        channel_type("odd")


@pytest.mark.parametrize(
    ("text", "rate"),
    [("1/s", Rate(1, 1)), ("30/m", Rate(30, 60)), ("5/10s", Rate(5, 10)), (" 100 / 2h ", Rate(100, 7200))],
)
def test_rates(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate
    assert Rate.parse(str(rate)) == rate


@pytest.mark.parametrize("text", ["", "1", "0/s", "1/d", "1/0s", "-1/s", "1.5/s", 1, None, "1/s/s"])
def test_what_is_no_rate(text: object) -> None:
    with pytest.raises(ValueError, match="not a rate"):
        Rate.parse(text)


@given(st.text(max_size=40), st.integers(0, 40))
def test_cutting_keeps_the_limit_and_shows(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert len(short) <= limit
    assert short == text or "…" in short or limit == 0


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (
            "https://hooks.slack.com/services/T0/B0/abcdef123456",
            {"abcdef123456", "/services/T0/B0/abcdef123456"},
        ),
        ("https://u:p4ss@h/x", {"u:p4ss", "p4ss"}),
        ("https://t0kenuser@h/", {"t0kenuser"}),
        ("pover://user123456@token123456", {"user123456", "token123456"}),
        ("https://h/?key=abc123def", {"abc123def", "/?key=abc123def"}),
        ("Bearer abcdef", {"abcdef"}),
        ("whsec_QUJDREVG", {"QUJDREVG"}),
    ],
)
def test_what_of_a_secret_may_show_up_alone(url: str, parts: set[str]) -> None:
    assert parts <= set(secret_parts(url))


def test_words_of_a_path_are_no_secrets() -> None:
    assert set(secret_parts("https://soc.example.com/alerts/msr")) == {"/alerts/msr"}


@given(st.text(max_size=60))
def test_any_text_may_be_a_secret(text: str) -> None:
    list(secret_parts(text))
    list(secret_parts(f"https://{text}"))


def test_what_a_receiver_says_is_shown_redacted_printable_and_cut() -> None:
    channel = Webhook(kind="webhook", name="soc", url=SecretStr("https://h/?key=abc123def"))
    said = channel.shown("\x1b[31mno\x00 \ud800 key\n abc123def, nor abc123def" + "!" * 5000)
    assert "abc123def" not in said
    assert said.isprintable()
    assert len(said) == 1000
    assert said.startswith("\ufffd[31mno\ufffd \ufffd key ***, nor ***!")
    assert said.endswith("(cut)")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": "0s"}, "longer than 0s"),
        ({"timeout": 5}, "must be a duration"),
        ({"concurrency": 0}, "greater than or equal to 1"),
        ({"rate": "fast"}, "not a rate"),
        ({"retry": {"schedule": []}}, "at least 1 item"),
        ({"retry": {"jitter": 3}}, "less than or equal to 0.5"),
        ({"name": ""}, "at least 1 character"),
        ({"nam": "x"}, "Extra inputs"),
    ],
)
def test_options_of_all_kinds_are_checked(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Console(**({"kind": "console", "name": "c"} | options))  # type: ignore[arg-type]


def test_a_jitter_alone_keeps_the_kinds_own_schedule() -> None:
    channel = Webhook.model_validate(
        {"kind": "webhook", "name": "w", "url": "http://h", "retry": {"jitter": 0}}
    )
    assert [wait.total_seconds() for wait in channel.retry.schedule[:3]] == [5, 300, 1800]
    assert Console(kind="console", name="c").retry.schedule[1].total_seconds() == 30
