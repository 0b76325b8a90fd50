"""Tellings made of the catalogue's samples: what templates are tried with before they are needed."""

from collections.abc import Iterator
from typing import Any

from relay.model.catalogue import CATALOGUE
from relay.model.delivery import Reason
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.model.silence import Acknowledgement
from relay.render.telling import Telling


def tellings(name: str) -> Iterator[Telling]:
    """What a template of that name may have to render: one type, a group, or (any other name) everything."""
    types = [name] if name in CATALOGUE else [] if name == "group" else list(CATALOGUE)
    for type_name in types:
        for event in samples(type_name):
            yield _telling(event)
        if CATALOGUE[type_name].lasting:
            yield _telling(*samples(type_name))
            known = Acknowledgement("alr_sample", "alice", samples(type_name)[0].seen_at, "a note")
            yield _telling(samples(type_name)[0], reason=Reason.REPEAT, acknowledged=known)
        yield _telling(samples(type_name)[0], reason=Reason.ESCALATION, acknowledge_url=_link)
        yield _telling(samples(type_name)[0], reason=Reason.GROUP, more=3, parts=2, group={"cluster": "prod"})
    if name not in CATALOGUE:
        everything = [sample(each) for each in CATALOGUE]
        yield _telling(*everything, acknowledge_url=_link)
        yield _telling(*everything, sample("ping.failing", Status.RESOLVED), reason=Reason.DIGEST)


def samples(type_name: str) -> tuple[Event, ...]:
    """The type's sample in every status that it can have."""
    if CATALOGUE[type_name].lasting:
        return sample(type_name, Status.FIRING), sample(type_name, Status.RESOLVED)
    return (sample(type_name),)


def _telling(*events: Event, **other: Any) -> Telling:
    return Telling(events, rule="sample", channel="sample", delivery="dlv_sample", **other)


def _link(thread: str) -> str:
    return f"https://relay.example.com/acknowledge/{thread}"
