"""Tellings made of the catalogue's samples: what templates are tried with before they are needed."""

from collections.abc import Iterator

from relay.model.catalogue import CATALOGUE
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.render.telling import Telling


def tellings(name: str) -> Iterator[Telling]:
    """What a template of that name may have to render: one type, a group, or (any other name) everything."""
    types = [name] if name in CATALOGUE else [] if name == "group" else list(CATALOGUE)
    for type_name in types:
        for event in samples(type_name):
            yield _telling(event)
        if CATALOGUE[type_name].lasting:
            yield _telling(*samples(type_name))
    if name not in CATALOGUE:
        yield _telling(*(sample(each) for each in CATALOGUE))


def samples(type_name: str) -> tuple[Event, ...]:
    """The type's sample in every status that it can have."""
    if CATALOGUE[type_name].lasting:
        return sample(type_name, Status.FIRING), sample(type_name, Status.RESOLVED)
    return (sample(type_name),)


def _telling(*events: Event) -> Telling:
    return Telling(events, rule="sample", channel="sample", delivery="dlv_sample")
