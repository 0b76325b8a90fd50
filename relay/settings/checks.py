"""What no single value shows: names that must agree, and rules that cannot do what they seem to."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from relay.config import Document, Loc
from relay.config.tree import Items, Scalar, Table
from relay.engine.index import Index
from relay.engine.intervals import muted, muted_until
from relay.engine.rules import Match
from relay.model.catalogue import CATALOGUE
from relay.model.errors import Problem
from relay.model.event import SubjectKind
from relay.model.hook_types import posted
from relay.model.patterns import Patterns, severities
from relay.model.severity import Severity
from relay.settings.root import Settings

HasTemplate = Callable[[str, str], bool]
"""Tells whether a channel kind has a template of a name."""

_A_YEAR: Final = timedelta(days=366)
_TIMES: Final = ("mute_during", "active_during")
"""The keys of a rule that name time intervals."""


_NAMED = ("clusters", "channels", "rules", "heartbeats", "hooks")


def errors(document: Document, check_when: Callable[[str], None]) -> Iterator[Problem]:
    """Yield what makes settings unusable though each value is good by itself.

    Works on what was written, which may be of any type. ``check_when`` raises ValueError for a bad
    expression.
    """
    names = {part: list(_texts(document, (part,), "name")) for part in _NAMED}
    for found in names.values():
        yield from _repeated(found, document)
    channels = [name for _, name in names["channels"]]
    for at in range(_length(document, ("rules",))):
        yield from _unknown(_channels_of(document, at), channels, document)
    yield from _unknown(_texts(document, ("heartbeats",), "channel"), channels, document)
    yield from _unknown(_text(document, ("evidence", "anchor", "channel")), channels, document)
    clusters = [name for _, name in names["clusters"]]
    yield from _unknown(_texts(document, ("hooks",), "cluster"), clusters, document, "cluster")
    yield from _unknown_intervals(document)
    for place, when in _texts(document, ("rules",), "when"):
        try:
            check_when(when)
        except ValueError as error:
            yield document.problem(place, str(error), None)


def _unknown(
    named: Iterable[tuple[Loc, str]], known: Sequence[str], document: Document, what: str = "channel"
) -> Iterator[Problem]:
    for place, name in named:
        if name not in known:
            hint = f"there are {', '.join(known)}" if known else f"no {what} is configured"
            yield document.problem(place, f"there is no {what} {name!r}", hint)


def _unknown_intervals(document: Document) -> Iterator[Problem]:
    node = document.node(("time_intervals",))
    known = list(node.entries) if isinstance(node, Table) else []
    hint = f"there are {', '.join(known)}" if known else "write it under time_intervals"
    places: list[Loc] = [
        (part, at, key)
        for part, keys in (("rules", _TIMES), ("clusters", ("change_windows",)))
        for at in range(_length(document, (part,)))
        for key in keys
    ]
    for where in places:
        for place, name in _listed(document, where):
            if name not in known:
                near = get_close_matches(name[:80], known, n=1)
                meant = f"did you mean {near[0]}?" if near else hint
                yield document.problem(place, f"there is no time interval {name!r}", meant)


def _channels_of(document: Document, at: int) -> Iterator[tuple[Loc, str]]:
    """Yield the channels that a rule names, also for its escalation, with their places."""
    yield from _listed(document, ("rules", at, "channels"))
    steps: Loc = ("rules", at, "escalate")
    for step in (steps, *((*steps, number) for number in range(_length(document, steps)))):
        yield from _listed(document, (*step, "channels"))


def _length(document: Document, place: Loc) -> int:
    node = document.node(place)
    return len(node.members) if isinstance(node, Items) else 0


def _texts(document: Document, place: Loc, key: str) -> Iterator[tuple[Loc, str]]:
    """Yield the texts under a key of each member of a list, with their places."""
    for at in range(_length(document, place)):
        node = document.node((*place, at, key))
        if isinstance(node, Scalar) and isinstance(node.value, str):
            yield (*place, at, key), node.value


def _text(document: Document, place: Loc) -> Iterator[tuple[Loc, str]]:
    """Yield the text at a place, if there is one, with its place."""
    node = document.node(place)
    if isinstance(node, Scalar) and isinstance(node.value, str):
        yield place, node.value


def _listed(document: Document, place: Loc) -> Iterator[tuple[Loc, str]]:
    """Yield the texts of a list, or the one text that stands for a list of one."""
    for where in [place, *((*place, at) for at in range(_length(document, place)))]:
        node = document.node(where)
        if isinstance(node, Scalar) and isinstance(node.value, str):
            yield where, node.value


def warnings(
    settings: Settings, document: Document, has_template: HasTemplate, now: datetime
) -> Iterator[Problem]:
    """Yield what is legal but hardly meant. ``now``, aware, tells which time intervals are over."""
    if not settings.clusters:
        yield document.problem(("clusters",), "no cluster is watched", "add one under clusters")
    if not settings.channels:
        yield document.problem(("channels",), "nobody is told anything", "add a channel under channels")
    if _in_clear(settings.server.public_url):
        message = "links and tokens cross the network in clear: who reads them can acknowledge"
        yield document.problem(("server", "public_url"), message, "use https://, by a proxy in front")
    yield from _access_warnings(settings, document)
    yield from _cluster_warnings(settings, document)
    yield from _rule_warnings(settings, document)
    yield from _time_warnings(settings, document, now)
    yield from _told_later_warnings(settings, document)
    yield from _group_warnings(settings, document)
    yield from _inhibit_warnings(settings, document)
    kinds = {channel.name: channel.kind for channel in settings.destinations}
    for at, rule in enumerate(settings.rules):
        for channel in rule.channels if rule.template is not None else ():
            if channel in kinds and not has_template(kinds[channel], rule.template or ""):
                message = f"there is no template {rule.template} for {kinds[channel]} (channel {channel})"
                yield document.problem(("rules", at, "template"), message, "a plain message will go out")


def _access_warnings(settings: Settings, document: Document) -> Iterator[Problem]:
    server = settings.server
    if server.anonymous in ("read", "operate"):
        message = "nobody has to log in: whoever reaches the relay counts as local"
        yield document.problem(("server", "anonymous"), message, "make tokens, and drop it")
    if server.insecure and not server.loopback:
        message = "it starts even if nobody can log in"
        yield document.problem(("server", "insecure"), message, "make a token, and drop it")


def _in_clear(public_url: str | None) -> bool:
    parts = urlsplit(public_url or "")
    host = parts.hostname or ""
    own = host == "localhost" or host.startswith("127.") or host == "::1"
    return parts.scheme == "http" and not own


def _repeated(found: Sequence[tuple[Loc, str]], document: Document) -> Iterator[Problem]:
    taken: set[str] = set()
    for place, name in found:
        if name in taken:
            yield document.problem(place, f"{name!r} is taken", "every name may stand once")
        taken.add(name)


def _cluster_warnings(settings: Settings, document: Document) -> Iterator[Problem]:
    for at, cluster in enumerate(settings.clusters):
        on = cluster.watchers()
        if not cluster.verify:
            message = "any certificate is accepted: the password can be stolen"
            yield document.problem(("clusters", at, "verify"), message, "give MSR's CA as ca_file instead")
        if cluster.entry.startswith("http://"):
            message = "the password crosses the network in clear"
            yield document.problem(("clusters", at, "url"), message, "use https://")
        if "nginx_status" in on and not cluster.each_replica:
            message = "dropped connections are not counted: a load balancer may be behind the one URL"
            yield document.problem(("clusters", at), message, "list the replicas' own URLs under replicas")
        if cluster.username and not cluster.password.get_secret_value():
            message = f"the password of {cluster.username} is empty"
            yield document.problem(
                ("clusters", at, "password"), message, "set it; MSR will refuse an empty one"
            )
        if not cluster.username and ({"changefeed", "cluster_status"} & set(on)):
            message = "no user is given, so neither cluster_status nor the changefeed can be read"
            yield document.problem(("clusters", at), message, "set username and password")


def _rule_warnings(settings: Settings, document: Document) -> Iterator[Problem]:
    clusters = [cluster.name for cluster in settings.clusters]
    stopping = [(at, rule) for at, rule in enumerate(settings.rules) if rule.stop and rule.when is None]
    index = Index(rule.match for _, rule in stopping)
    for at, rule in enumerate(settings.rules):
        for key, message in never(rule.match, clusters):
            yield document.problem(("rules", at, "match", key), f"this rule can never match: {message}", None)
        for stops, earlier in (stopping[place] for place in index.may_cover(rule.match)):
            if stops >= at:
                break
            if covers(earlier.match, rule.match):
                message = f"this rule is never reached: {earlier.name!r} above takes the same and stops"
                yield document.problem(("rules", at), message, "move it up, or drop stop there")
                break


def _time_warnings(settings: Settings, document: Document, now: datetime) -> Iterator[Problem]:
    times = settings.times
    used = {name for rule in settings.rules for name in (*rule.mute_during, *rule.active_during)}
    for name in times:
        if name not in used:
            hint = "name it in a rule's mute_during or active_during"
            yield document.problem(("time_intervals", name), "no rule names this time interval", hint)
    for at, rule in enumerate(settings.rules):
        # It ends at the first minute that is not muted, or, muted still, where the search does.
        if muted(rule, times, now) and muted(rule, times, muted_until(rule, times, now, _A_YEAR)):
            message = "this rule is muted for the whole year to come: its messages reach nobody"
            yield document.problem(("rules", at), message, "look at the time intervals that it names")


def never(match: Match, clusters: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield, with the key, why nothing that is configured can match."""
    types = _types(match)
    if not types:
        yield "type", "there is no such event type"
    about = {CATALOGUE[name].subject for name in types}
    if match.repository is not None and types and SubjectKind.REPOSITORY not in about:
        yield "repository", "these event types are not about repositories"
    replicas = {SubjectKind.REPLICA, SubjectKind.ISSUE}
    if match.replica is not None and types and not about & replicas:
        yield "replica", "these event types are not about replicas"
    if match.cluster is not None and not any(map(Patterns(match.cluster).match, clusters)):
        yield "cluster", "there is no such cluster"


def covers(wide: Match, narrow: Match) -> bool:
    """Tell whether everything that the second matches is surely matched by the first."""
    for key, separator in (("type", ""), ("cluster", ""), ("repository", "/"), ("replica", "")):
        outer, inner = getattr(wide, key), getattr(narrow, key)
        if outer is not None and outer != inner and not _covers_globs(outer, inner, separator):
            return False
    if wide.severity is not None:
        least = severities(narrow.severity) if narrow.severity is not None else frozenset(Severity)
        if not least <= severities(wide.severity):
            return False
    return all(narrow.labels.get(name) == globs for name, globs in wide.labels.items())


def _covers_globs(outer: list[str], inner: list[str] | None, separator: str) -> bool:
    if inner is None:
        return False
    wanted = Patterns(inner).wanted
    plain = [glob for glob in wanted if not set(glob) & set("*?[")]
    return bool(wanted) and len(plain) == len(wanted) and all(map(Patterns(outer, separator).match, plain))


def _types(match: Match) -> list[str]:
    return list(filter(Patterns(match.type or ()).match, CATALOGUE))


def _repeated_type(name: str) -> bool:
    """Tell whether a rule for a type tells alerts: those too that stand for one-off events."""
    return CATALOGUE[name].lasting or any(kind.stands_for == name for kind in CATALOGUE.values())


def _told_later_warnings(settings: Settings, document: Document) -> Iterator[Problem]:
    """Yield what of a rule's repeats and escalations can tell nobody anything new."""
    for at, rule in enumerate(settings.rules):
        types = _types(rule.match)
        if rule.repeat is not None and types and not any(map(_repeated_type, types)):
            message = "nothing is repeated: these event types are one-off events, which do not go on"
            yield document.problem(("rules", at, "repeat"), message, "leave it out")
        told = [("its first message", rule.after, rule.channels)]
        for number, step in enumerate(rule.escalate):
            for name, after, channels in told:
                again = [channel for channel in step.channels if channel in channels and step.after <= after]
                if again:
                    message = f"{', '.join(again)} is told no later than {name} tells it"
                    hint = "give another time, or other channels"
                    yield document.problem(("rules", at, "escalate"), message, hint)
            told.append((f"step {number + 1}", step.after, step.channels))


def _group_warnings(settings: Settings, document: Document) -> Iterator[Problem]:
    for at, rule in enumerate(settings.rules):
        types = _types(rule.match)
        about = {CATALOGUE[name].subject for name in types}
        labels = {label for cluster in settings.clusters for label in cluster.labels}
        # What is posted brings labels of its own, which nobody knows before.
        brought = any(map(posted, types))
        for word in () if rule.group is None or not about else rule.group.by:
            if word.startswith("labels."):
                missing = not brought and word.removeprefix("labels.") not in labels
                message = f"no cluster has the label of {word}: it tells nothing apart"
            else:
                missing = not about & _HAVING.get(word, about)
                message = f"these event types have no {word}: it tells nothing apart"
            if missing:
                yield document.problem(("rules", at, "group", "by"), message, f"leave {word} out")


_HAVING: Mapping[str, frozenset[SubjectKind]] = {
    "repository": frozenset({SubjectKind.REPOSITORY}),
    "namespace": frozenset({SubjectKind.REPOSITORY}),
    "replica": frozenset({SubjectKind.REPLICA, SubjectKind.ISSUE}),
}
"""What an event has to be about to have a word by which it can be grouped."""


def _coverable(name: str) -> bool:
    return CATALOGUE[name].lasting and CATALOGUE[name].stands_for is None


def _inhibit_warnings(settings: Settings, document: Document) -> Iterator[Problem]:
    clusters = [cluster.name for cluster in settings.clusters]
    for at, rule in enumerate(settings.inhibit):
        fine = True
        for part, match in (("source", rule.source), ("target", rule.target)):
            problems = list(never(match, clusters))
            types = _types(match)
            if types and not any(CATALOGUE[name].lasting for name in types):
                problems.append(("type", "these event types are one-off events, which never fire"))
            elif part == "target" and types and not any(map(_coverable, types)):
                problems.append(("type", "these event types are told whatever else fires"))
            for key, message in problems:
                fine = False
                place = ("inhibit", at, part, key)
                yield document.problem(place, f"nothing is inhibited by this: {message}", None)
        if fine and covers(rule.source, rule.target):
            message = (
                "whatever target matches is a source too: two of them cover each other, and nobody is told"
            )
            hint = "let source match only the larger alert"
            yield document.problem(("inhibit", at), message, hint)
