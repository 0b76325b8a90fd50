"""Rules as users write them: which events go where."""

from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from relay.config.durations import Duration
from relay.model.catalogue import CATALOGUE
from relay.model.patterns import check_glob, severities
from relay.model.urls import web_url


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


_WORDS = ("type", "severity", "cluster", "subject", "repository", "namespace", "replica")


def _check_word(word: str) -> str:
    if word not in _WORDS and not word.startswith("labels."):
        near = get_close_matches(word, _WORDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_WORDS)} and labels.NAME"
        raise ValueError(f"events cannot be grouped by {word}; {hint}")
    return word


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class GroupOptions(_Part):
    """What matches is gathered for a while and told in one message."""

    by: Annotated[list[Annotated[str, AfterValidator(_check_word)]], BeforeValidator(_as_list)] = Field(
        default_factory=lambda: ["cluster"],
        description="what the members of one group have in common: type, severity, cluster, subject, "
        "repository, namespace, replica, labels.NAME; an empty list: one group for the whole rule",
    )
    wait: Duration = Field(
        timedelta(seconds=30), description="how long the first message of a group waits for more"
    )
    interval: Duration = Field(
        timedelta(minutes=5), description="how long after a message of a group the next one may follow"
    )
    max: int = Field(10, ge=1, le=100, description="how many are listed in a message; the rest is counted")


class EscalationStep(_Part):
    """Who else is told, if nobody has acknowledged."""

    after: Annotated[Duration, Field(gt=timedelta(0))] = Field(
        description="how long after the beginning, unless it is over or acknowledged"
    )
    channels: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        min_length=1, description="names of channels"
    )


def _as_steps(value: object) -> object:
    return [value] if isinstance(value, dict) else value


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
    group: GroupOptions | None = Field(
        None, description="gather what matches and tell it in one message: by, wait, interval, max"
    )
    repeat: Annotated[Duration, Field(ge=timedelta(minutes=1))] | None = Field(
        None, description="tell an alert again each time that it has fired for so long; none: once"
    )
    escalate: Annotated[list[EscalationStep], BeforeValidator(_as_steps)] = Field(
        default_factory=list, description="one step or a list: after, channels"
    )
    runbook_url: Annotated[str, AfterValidator(web_url)] | None = Field(
        None, description="where it is written what to do: a link in its messages, before a cluster's"
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="labels that its messages get, over the cluster's"
    )
    annotations: dict[str, str] = Field(
        default_factory=dict, description="texts that its messages get, over the cluster's; for templates"
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

    @model_validator(mode="after")
    def _waits_once(self) -> "Rule":
        if self.group is not None and self.after:
            raise ValueError("has both after and group: give the time to wait as group.wait")
        return self


def default_rules(channels: Iterable[str]) -> list[Rule]:
    """Return what holds when no rules are written: severity warning and worse goes everywhere."""
    names = list(channels)
    if not names:
        return []
    return [Rule(name="default", match=Match(severity=">= warning"), channels=names)]
