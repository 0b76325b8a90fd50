"""`RELAY_…` variables over the tree: what they address, create, refuse."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.config import Shorthand, load
from relay.config.settings import RootSettings, Section
from relay.model.errors import ConfigError, Problem
from tests.config.sample import KNOWN, SAMPLE, SHORTHANDS, VARIABLES, Settings, loaded, write


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return write(tmp_path, SAMPLE)


def refusal(path: Path | None, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(path, {**VARIABLES, **environ})
    return str(caught.value).splitlines()


def set_by(path: Path | None, **environ: str) -> Settings:
    return loaded(path, {**VARIABLES, **environ}).settings


def test_a_value_of_a_member_is_set_by_its_name(sample: Path) -> None:
    found = set_by(sample, RELAY_CLUSTERS__PROD__PASSWORD="other", relay_clusters__prod__watch__PING="off")
    assert found.clusters[0].password.get_secret_value() == "other"
    assert found.clusters[0].watch.ping == "off"
    assert found.clusters[0].username == "relay"


def test_names_with_other_characters(sample: Path) -> None:
    found = set_by(sample, RELAY_RULES__TRUST_DELETIONS__STOP="true", RELAY_ALERTS__CLUSTER_ISSUE__FOR="2m")
    assert found.rules[0].stop is True
    assert found.alerts["cluster.issue"].wait.total_seconds() == 120  # type: ignore[index]
    assert found.alerts["cluster.issue"].keep_firing_for.total_seconds() == 60  # type: ignore[index]


def test_a_known_key_of_a_mapping_can_be_created(sample: Path) -> None:
    found = set_by(sample, RELAY_ALERTS__PING_FAILING__FOR="2m")
    assert {str(key): damping.wait.total_seconds() for key, damping in found.alerts.items()} == {
        "cluster.issue": 30.0,
        "ping.failing": 120.0,
    }


def test_a_free_key_of_a_mapping_is_lower_cased(sample: Path) -> None:
    found = set_by(sample, RELAY_CHANNELS__SOC__HEADERS__AUTHORIZATION="Bearer x")
    assert found.channels[1].headers["authorization"].get_secret_value() == "Bearer x"  # type: ignore[union-attr]


def test_a_member_is_created_by_its_lower_cased_name(sample: Path) -> None:
    found = set_by(
        sample,
        RELAY_CLUSTERS__LAB__URL="https://lab.example.com",
        RELAY_CLUSTERS__LAB__USERNAME="u",
        RELAY_CLUSTERS__LAB__PASSWORD="p",
        RELAY_CHANNELS__OPS__KIND="slack",
        RELAY_CHANNELS__OPS__WEBHOOK_URL="https://hooks.example.com/x",
    )
    assert [(c.name, str(c.url)) for c in found.clusters] == [
        ("prod", "https://msr.example.com/"),
        ("lab", "https://lab.example.com/"),
    ]
    assert [c.name for c in found.channels] == ["security", "soc", "oncall", "phones", "ops"]


def test_names_that_hold_the_separator(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE.replace("name: prod\n", "name: prod -1\n"))
    assert set_by(path, RELAY_CLUSTERS__PROD__1__USERNAME="x").clusters[0].username == "x"


def test_a_name_that_could_mean_two_members_is_an_error(tmp_path: Path) -> None:
    twin = "clusters:\n  - {name: a-b, username: u, password: p}\n  - {name: a.b, username: u, password: p}\n"
    (line,) = refusal(write(tmp_path, twin), RELAY_CLUSTERS__A_B__USERNAME="x")
    assert line == (
        "environment variable RELAY_CLUSTERS__A_B__USERNAME: could mean clusters[a-b].username and "
        "clusters[a.b].username; rename one of them, or set it in the file"
    )


def test_lists_and_mappings_as_json(sample: Path) -> None:
    found = set_by(
        sample,
        RELAY_CLUSTERS='[{"name": "a", "username": "u", "password": "p", "verify": false}]',
        RELAY_CLUSTERS__A__URL="https://a.example.com",
        RELAY_SERVER='{"listen": "0.0.0.0:1"}',
        RELAY_CHANNELS__SOC__SECRETS='["one,1", "two"]',
        RELAY_CLUSTERS__B='{"username": "u", "password": "p"}',
    )
    assert [(c.name, c.verify, c.url and c.url.host) for c in found.clusters] == [
        ("a", False, "a.example.com"),
        ("b", True, None),
    ]
    assert (found.server.listen, found.server.public_url) == ("0.0.0.0:1", None)
    assert [s.get_secret_value() for s in found.channels[1].secrets] == ["one,1", "two"]  # type: ignore[union-attr]


def test_a_list_of_plain_values_is_split_at_commas_and_one_of_secrets_is_not(sample: Path) -> None:
    found = set_by(
        sample,
        RELAY_CHANNELS__ONCALL__TO="a@example.com, b@example.com,",
        RELAY_CHANNELS__PHONES__URLS="mailto://u:p@h?to=a,b",
        RELAY_CLUSTERS__PROD__REPLICAS="https://r1.example.com",
    )
    assert found.channels[2].to == ["a@example.com", "b@example.com"]  # type: ignore[union-attr]
    assert [u.get_secret_value() for u in found.channels[3].urls] == ["mailto://u:p@h?to=a,b"]  # type: ignore[union-attr]
    assert [r.host for r in found.clusters[0].replicas] == ["r1.example.com"]


@pytest.mark.parametrize(
    "text", ["[1", "{", '{"a": 1, "a": 2}', "[NaN]", "[" * 5000 + "]" * 5000, "[" * 60 + "]" * 60]
)
def test_broken_json_is_told_without_its_text(sample: Path, text: str) -> None:
    (line,) = refusal(sample, RELAY_CLUSTERS=text)
    assert line == (
        "environment variable RELAY_CLUSTERS: is not valid JSON; a list is written [1, 2], a mapping {…}"
    )


def test_a_secret_that_looks_like_json_is_text(sample: Path) -> None:
    assert set_by(sample, RELAY_CLUSTERS__PROD__PASSWORD="{x").clusters[0].password.get_secret_value() == "{x"
    assert (
        set_by(sample, RELAY_CLUSTERS__PROD__PASSWORD="[1]").clusters[0].password.get_secret_value() == "[1]"
    )


def test_nothing_in_a_variable_is_expanded(sample: Path) -> None:
    found = set_by(sample, RELAY_CLUSTERS__PROD__PASSWORD="${PROD_PASSWORD}")
    assert found.clusters[0].password.get_secret_value() == "${PROD_PASSWORD}"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RELAY_CLUSTERS__PROD__PASWORD", "RELAY_CLUSTERS__PROD__PASSWORD"),
        ("RELAY_CLUSTERS_PROD_PASSWORD", "RELAY_CLUSTERS__PROD__PASSWORD"),
        ("RELAY_CLUSTER__PROD__URL", "RELAY_CLUSTERS__PROD__URL"),
        ("RELAY_CLUSTERS__NEW__USRNAME", "RELAY_CLUSTERS__NEW__USERNAME"),
        ("RELAY_CLUSTERS__PROD__WATCH__PNG", "RELAY_CLUSTERS__PROD__WATCH__PING"),
        ("RELAY_CHANNELS__ONCAL__SMTP__PORTT", "RELAY_CHANNELS__ONCAL__SMTP__PORT"),
        ("RELAY_SERVER_LISTEN", "RELAY_SERVER__LISTEN"),
        ("RELAY_MSR_PASWORD", "RELAY_MSR_PASSWORD"),
        ("RELAY_CONFG", "RELAY_CONFIG"),
        ("RELAY_STOR", "RELAY_STORE"),
    ],
)
def test_an_unknown_name_is_told_with_the_near_miss(sample: Path, name: str, meant: str) -> None:
    assert refusal(sample, **{name: "hunter2"}) == [
        f"environment variable {name}: unknown variable; did you mean {meant}?"
    ]


@pytest.mark.parametrize(
    "name",
    ["RELAY_", "RELAY___", "RELAY_CLUSTERS__", "RELAY_XYZZY", "RELAY_STORE__X", "RELAY_CLUSTERS____URL"],
)
def test_a_name_that_is_near_nothing(sample: Path, name: str) -> None:
    (line,) = refusal(sample, **{name: "hunter2"})
    assert line.startswith(f"environment variable {name}: unknown variable")


def test_names_of_others_are_left_alone(sample: Path) -> None:
    found = set_by(
        sample,
        RELAY_CONFIG="x",
        RELAYED="1",
        RELAY_SERVICE_HOST="10.0.0.1",
        RELAY_PORT="tcp://10.0.0.1:80",
        RELAY_PORT_80_TCP_ADDR="10.0.0.1",
        RELAY_SERVICE_PORT_HTTP="80",
    )
    assert found == set_by(sample)


def test_an_empty_variable_is_not_set(sample: Path) -> None:
    assert set_by(sample, RELAY_STORE="", RELAY_SLACK_WEBHOOK_URL="", RELAY_NONSENSE="") == set_by(sample)


def test_a_part_of_a_single_value_cannot_be_set(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE.replace("{every: 15s, start: newest, page: 1000, overlap: 5m}", "15s"))
    (line,) = refusal(path, RELAY_CLUSTERS__PROD__WATCH__CHANGEFEED__PAGE="10")
    assert f"sets a part of the value at {path}:17:19, which is not a mapping" in line


def test_one_thing_set_twice_in_one_layer_is_an_error(sample: Path) -> None:
    (line,) = refusal(sample, RELAY_STORE="hunter2", relay_store="hunter3")
    assert line == "environment variable relay_store: sets the same as RELAY_STORE; set one of them"
    (line,) = refusal(
        sample,
        RELAY_MSR_URL="https://a",
        RELAY_CLUSTERS__MSR__URL="https://b",
        RELAY_MSR_USERNAME="u",
        RELAY_MSR_PASSWORD="p",
    )
    assert "sets the same as" in line


def test_values_of_variables_are_told_by_their_variable(sample: Path) -> None:
    result = loaded(
        sample,
        {
            **VARIABLES,
            "RELAY_SERVER__LISTEN": "x:1",
            "RELAY_CLUSTERS__LAB": '{"username": "u", "password": "p"}',
        },
    )
    assert result.document.where(("server", "listen")) == "environment variable RELAY_SERVER__LISTEN"
    assert result.document.where(("clusters", 1, "username")) == "environment variable RELAY_CLUSTERS__LAB"
    assert result.document.describe(("clusters", 1, "url")) == "clusters[lab].url"
    assert result.document.where(("server", "public_url")).endswith("relay.yaml:2:46")


# shorthands


def test_shorthands_alone_are_enough() -> None:
    found = set_by(
        None,
        RELAY_MSR_URL="https://msr.example.com",
        RELAY_MSR_USERNAME="u",
        RELAY_MSR_PASSWORD="p",
        RELAY_SLACK_WEBHOOK_URL="https://hooks.example.com/x",
        RELAY_SMTP_HOST="smtp.example.com",
        RELAY_EMAIL_TO="a@example.com,b@example.com",
        RELAY_EMAIL_FROM="relay@example.com",
    )
    assert [(c.name, str(c.url), c.username) for c in found.clusters] == [
        ("msr", "https://msr.example.com/", "u")
    ]
    assert {(c.name, c.kind) for c in found.channels} == {("slack", "slack"), ("email", "email")}
    (mail,) = [c for c in found.channels if c.kind == "email"]
    assert (mail.smtp.host, mail.to, mail.sender) == (
        "smtp.example.com",
        ["a@example.com", "b@example.com"],
        "relay@example.com",
    )


def test_a_shorthand_and_the_long_name_serve_the_same_member() -> None:
    found = set_by(
        None,
        RELAY_MSR_URL="https://msr.example.com",
        RELAY_CLUSTERS__MSR__USERNAME="u",
        RELAY_MSR_PASSWORD="p",
        RELAY_CHANNELS__EMAIL__SMTP__PORT="587",
        RELAY_SMTP_HOST="smtp.example.com",
        RELAY_EMAIL_TO="a@example.com",
        RELAY_EMAIL_FROM="relay@example.com",
    )
    assert len(found.clusters) == len(found.channels) == 1
    assert found.channels[0].smtp.port == 587  # type: ignore[union-attr]


def test_a_fixed_value_does_not_replace_what_is_written(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE.replace("name: soc, kind: webhook", "name: slack, kind: webhook"))
    (line,) = refusal(path, RELAY_SLACK_WEBHOOK_URL="https://hooks.example.com/hunter2")
    assert "RELAY_SLACK_WEBHOOK_URL" in line
    assert "hunter2" not in line


def test_a_secret_shorthand_takes_a_file(tmp_path: Path) -> None:
    write(tmp_path, "from a file\n", "secret")
    found = set_by(
        None,
        RELAY_MSR_URL="https://m",
        RELAY_MSR_USERNAME="u",
        RELAY_MSR_PASSWORD_FILE=str(tmp_path / "secret"),
    )
    assert found.clusters[0].password.get_secret_value() == "from a file"


def test_what_is_missing_beside_a_shorthand_is_told_by_it() -> None:
    assert refusal(None, RELAY_MSR_URL="https://m", RELAY_MSR_USERNAME="u") == [
        "environment variable RELAY_MSR_URL: clusters[msr].password: is missing; "
        'set "password" or "password_file" or RELAY_CLUSTERS__MSR__PASSWORD'
    ]


def test_a_top_level_field_can_have_a_shorthand() -> None:
    class Small(RootSettings):
        log: str = "info"
        part: "Part"

    class Part(Section):
        deep: int = 0

    Small.model_rebuild(_types_namespace={"Part": Part})
    result = load(
        Small, path=None, environ={"RELAY_D": "3"}, shorthands={"RELAY_D": Shorthand(("part", "deep"), {})}
    )
    assert result.settings.part.deep == 3


words = (
    "CLUSTERS CHANNELS RULES PROD SOC ONCALL NEW SMTP PASSWORD PASSWORD_FILE NAME KIND WATCH CHANGEFEED "
    "START ALERTS CLUSTER_ISSUE FOR SERVER HEADERS URL SECRETS 0"
)
segments = st.sampled_from(["", *words.split()]) | st.text(
    st.characters(exclude_categories=("Cs",)), max_size=6
)
names = st.lists(segments, max_size=5).map(lambda parts: "RELAY_" + "__".join(parts)) | st.sampled_from(
    sorted(SHORTHANDS)
)
values = st.sampled_from(
    ["slack", "[]", "{}", "[1, {}]", '{"name": 5}', "null", "30s", "off", "true", "\0"]
) | st.text(max_size=8)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, values, max_size=6), st.booleans())
def test_random_variables_fail_with_nothing_but_our_error(
    sample: Path, environ: dict[str, str], file: bool
) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        load(
            Settings,
            path=sample if file else None,
            environ={**VARIABLES, **environ},
            shorthands=SHORTHANDS,
            known=KNOWN,
        )
    except ConfigError as error:
        problems = error.problems
    assert all(problem.where and problem.message for problem in problems)
