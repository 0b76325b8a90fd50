"""Rules as users write them: which events go where."""

from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from relay.config.durations import Duration
from relay.engine.patterns import check_glob, severities
from relay.model.catalogue import CATALOGUE


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _check_type(glob: str) -> str:
    """Refuse a plain name that no event type has: a typo would disarm the rule in silence."""
    name = glob.removeprefix("!")
    if not set(name) & set("*?[") and name not in CATALOGUE:
        near = get_close_matches(name, CATALOGUE, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(CATALOGUE)}"
        raise ValueError(f"there is no event type {name}; {hint}")
    return glob


def _check_severity(text: str) -> str:
    severities(text)
    return text


_Some = Annotated[list[str], Field(min_length=1)]
# What is said beside `_as_list` is for editors: they, too, take one text where a list may stand.
_Listed = BeforeValidator(_as_list, json_schema_input_type=str | list[str])

Globs = Annotated[list[Annotated[str, AfterValidator(check_glob)]], _Listed]
"""One glob or a list of them; ``!`` in front excludes."""

TypeGlobs = Annotated[list[Annotated[str, AfterValidator(check_glob), AfterValidator(_check_type)]], _Listed]
"""The same for event types: what is no pattern must be the name of one."""


Names = Annotated[list[str], _Listed]
"""One name or a list of them."""


class Match(BaseModel):
    """What an event must be like. Everything that is given must hold; nothing given matches everything."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: TypeGlobs | None = Field(None, description="event types: trust.deleted, trust.*, !cluster.*")
    cluster: Globs | None = Field(None, description="names of clusters")
    repository: Globs | None = Field(
        None, description="namespace/name without host; * stops at the slash, ** does not; ! excludes"
    )
    replica: Globs | None = Field(None, description="replica ids or URL hosts")
    severity: Annotated[str, AfterValidator(_check_severity)] | None = Field(
        None, description='critical, or a comparison such as ">= warning"'
    )
    labels: dict[str, Globs] = Field(default_factory=dict, description="labels and globs for their values")


class Rule(BaseModel):
    """Events that match go to the channels. All rules are tried in order; every match notifies.

    A channel gets an event at most once, by the first matching rule that names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=200, description="unique; stands in messages and listings")
    match: Match = Field(default_factory=Match, description="what an event must be like")
    when: str | None = Field(None, description="a Jinja expression, for what match cannot say")
    channels: Annotated[_Some, BeforeValidator(_as_list, json_schema_input_type=str | _Some)] = Field(
        description="names of channels"
    )
    template: str | None = Field(None, description="a template of your own, in place of the event type's")
    on_resolve: bool = Field(True, description="whether the end of an alert is told too")
    after: Duration = Field(
        timedelta(0), description="tell an alert only if it still fires then; one-off events are not delayed"
    )
    mute_during: Names = Field(
        default_factory=list,
        description="names of time intervals: its messages wait until they end; "
        "an alert that has ended meanwhile is not told",
    )
    active_during: Names = Field(
        default_factory=list,
        description="names of time intervals: outside of them its messages wait in the same way; "
        "none: always active",
    )
    stop: bool = Field(False, description="whether an event that matches is kept from the rules below")


def default_rules(channels: Iterable[str]) -> list[Rule]:
    """Return what holds when no rules are written: severity warning and worse goes everywhere."""
    names = list(channels)
    if not names:
        return []
    return [Rule(name="default", match=Match(severity=">= warning"), channels=names)]
