"""Whatever goes wrong, a secret is in no error, repr, log or traceback."""

import logging
import traceback
from io import StringIO
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationInfo, field_validator, model_validator

from relay.config import Loaded, RootSettings, Section, load
from relay.config.tree import Loc
from relay.model.errors import ConfigError
from tests.config.sample import SAMPLE, VARIABLES, Settings, loaded, write

SECRET = "S3cr3t-hunter2-zZ9"
TREE = yaml.safe_load(SAMPLE)


def paths(node: object, at: Loc = ()) -> list[Loc]:
    """All places of the sample, mappings and lists included."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [at, *(path for key, part in below for path in paths(part, (*at, key)))]


def replaced(node: object, at: Loc, value: object) -> object:
    if not at:
        return value
    if isinstance(node, dict):
        return {key: replaced(part, at[1:], value) if key == at[0] else part for key, part in node.items()}
    assert isinstance(node, list)
    return [replaced(part, at[1:], value) if key == at[0] else part for key, part in enumerate(node)]


def told(path: Path | None, environ: dict[str, str], dotenv: Path | None = None) -> str:
    """All that the product could say about the outcome of a loading."""
    try:
        found: Loaded[Settings] | ConfigError = loaded(path, environ, dotenv)
    except ConfigError as caught:
        found = caught
    if isinstance(found, Loaded):
        return f"{found.document!r} {found.warnings!r}"
    stream = StringIO()
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(stream))
    logger.error("rejected %s %r", found, found, exc_info=found)
    shown = "".join(traceback.format_exception(found, chain=True))
    assert found.__context__ is None
    return f"{found} {found!r} {found.args} {found.problems!r} {shown} {stream.getvalue()}"


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(paths(TREE)[1:]),
    st.sampled_from(["${S}", "x${S}", "${S}/${S}", "${NONE:-}${S}"]),
    st.booleans(),
)
def test_a_variable_anywhere(tmp_path: Path, at: Loc, text: str, break_it: bool) -> None:
    tree = replaced(TREE, at, text)
    if break_it:
        tree = replaced(tree, ("rules", 0, "stop") if at[0] == "clusters" else ("store",), ["x"])
    path = write(tmp_path, yaml.safe_dump(tree))
    assert SECRET not in told(path, {**VARIABLES, "S": SECRET})


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(paths(TREE)[1:]), st.booleans())
def test_an_environment_variable_anywhere(tmp_path: Path, at: Loc, in_dotenv: bool) -> None:
    names, node = [], TREE
    for step in at:
        node = node[step]
        names.append(str(step if isinstance(step, str) else node["name"] if isinstance(node, dict) else step))
    name = "RELAY_" + "__".join("".join(c if c.isalnum() else "_" for c in part.upper()) for part in names)
    path = write(tmp_path, SAMPLE)
    if in_dotenv:
        assert SECRET not in told(path, VARIABLES, write(tmp_path, f"{name}={SECRET}\n", ".env"))
    else:
        assert SECRET not in told(path, {**VARIABLES, name: SECRET})


SECRET_PLACES: list[Loc] = [
    ("clusters", 0, "password"),
    ("channels", 0, "webhook_url"),
    ("channels", 1, "secrets"),
    ("channels", 1, "secrets", 0),
    ("channels", 2, "smtp", "password"),
    ("channels", 3, "urls"),
    ("channels", 3, "urls", 0),
]


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SECRET_PLACES),
    st.sampled_from([SECRET, [SECRET], {"value": SECRET}, {SECRET[:4]: {"deep": [SECRET]}}, [[SECRET]]]),
    st.booleans(),
)
def test_a_written_secret_of_any_shape(tmp_path: Path, at: Loc, value: object, break_it: bool) -> None:
    tree = replaced(TREE, at, value)
    if break_it:
        tree = replaced(tree, ("clusters", 0, "name"), {"first": [SECRET]})
    assert SECRET not in told(write(tmp_path, yaml.safe_dump(tree)), VARIABLES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("password: ${PROD_PASSWORD}", f"pasword: {SECRET}"),
        ("password: ${PROD_PASSWORD}", f"password: {SECRET}\n    xyz: {SECRET}"),
        ("password: ${PROD_PASSWORD}", f"password: *{SECRET}"),
        ("password: ${PROD_PASSWORD}", f'password: "{SECRET}'),
        ("password: ${PROD_PASSWORD}", f"password: [{SECRET}"),
        ("password: ${PROD_PASSWORD}", f"password: {{{SECRET}: }}}}"),
        ("password: ${PROD_PASSWORD}", f"password_file: ''\n    password: {SECRET}"),
        ("url: https://msr.example.com", f"url: https//relay:{SECRET}@msr.example.com"),
        ("url: https://msr.example.com", f"url: ftp://relay:{SECRET}@msr.example.com:99999999"),
        ("kind: slack", f"kind: https://hooks.example.com/{SECRET}"),
        ("port: 587", f"port: smtp-{SECRET}-587"),
        ("after: 30s", f"after: 30s-{SECRET}-5"),
    ],
)
def test_what_is_written_in_the_wrong_place(tmp_path: Path, old: str, new: str) -> None:
    assert SAMPLE.count(old) >= 1
    text = told(write(tmp_path, SAMPLE.replace(old, new, 1)), VARIABLES)
    assert "ConfigError" in text
    assert SECRET not in text


class Inner(BaseModel):
    number: int


class Leaky(Section):
    name: str
    token: str = ""

    @field_validator("token")
    @classmethod
    def repeats(cls, value: str, info: ValidationInfo) -> str:
        if value == "nested":
            Inner.model_validate({"number": f"{info.data}"})
        raise ValueError(f"{value!r} of {info.data} is not allowed")


class LeakyRoot(RootSettings):
    """Validators that a third party wrote carelessly."""

    parts: list[Leaky]
    secret: str = ""

    @model_validator(mode="before")
    @classmethod
    def repeats_everything(cls, data: object) -> object:
        if "explode" in str(data):
            raise ValueError(f"bad: {data}")
        return data


@pytest.mark.parametrize(
    "text",
    [
        "parts: [{name: a, token: '${S}'}]",
        "parts: [{name: '${S}', token: x}]",
        "parts: [{name: '${S}', token: nested}]",
        "parts: [{name: explode, token: '${S}'}]\nsecret: '${S}'",
        f"parts: [{{name: explode}}]\nunknown: {{a: [{SECRET}]}}",
    ],
)
def test_validators_that_repeat_values_are_redacted(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(LeakyRoot, path=write(tmp_path, text), environ={"S": SECRET})
    assert SECRET not in str(caught.value) + repr(caught.value.problems)


def test_settings_do_not_show_their_secrets(tmp_path: Path) -> None:
    result = loaded(write(tmp_path, SAMPLE), {**VARIABLES, "PROD_PASSWORD": SECRET, "SLACK_WEBHOOK": SECRET})
    assert SECRET not in repr(result) + str(result.settings) + result.settings.model_dump_json()
    assert isinstance(result.settings, Settings)
