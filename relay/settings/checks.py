"""What no single value shows: names that must agree, and rules that cannot do what they seem to."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from relay.config import Document, Loc
from relay.config.tree import Items, Scalar
from relay.engine.patterns import Patterns, severities
from relay.engine.rules import Match
from relay.model.catalogue import CATALOGUE
from relay.model.errors import Problem
from relay.model.event import SubjectKind
from relay.model.severity import Severity
from relay.settings.root import Settings

HasTemplate = Callable[[str, str], bool]
"""Tells whether a channel kind has a template of a name."""


_NAMED = ("clusters", "channels", "rules", "heartbeats")


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
        yield from _unknown(_listed(document, ("rules", at, "channels")), channels, document)
    yield from _unknown(_texts(document, ("heartbeats",), "channel"), channels, document)
    for place, when in _texts(document, ("rules",), "when"):
        try:
            check_when(when)
        except ValueError as error:
            yield document.problem(place, str(error), None)


def _unknown(
    named: Iterable[tuple[Loc, str]], channels: Sequence[str], document: Document
) -> Iterator[Problem]:
    for place, channel in named:
        if channel not in channels:
            hint = f"there are {', '.join(channels)}" if channels else "no channel is configured"
            yield document.problem(place, f"there is no channel {channel!r}", hint)


def _length(document: Document, place: Loc) -> int:
    node = document.node(place)
    return len(node.members) if isinstance(node, Items) else 0


def _texts(document: Document, place: Loc, key: str) -> Iterator[tuple[Loc, str]]:
    """Yield the texts under a key of each member of a list, with their places."""
    for at in range(_length(document, place)):
        node = document.node((*place, at, key))
        if isinstance(node, Scalar) and isinstance(node.value, str):
            yield (*place, at, key), node.value


def _listed(document: Document, place: Loc) -> Iterator[tuple[Loc, str]]:
    """Yield the texts of a list, or the one text that stands for a list of one."""
    for where in [place, *((*place, at) for at in range(_length(document, place)))]:
        node = document.node(where)
        if isinstance(node, Scalar) and isinstance(node.value, str):
            yield where, node.value


def warnings(settings: Settings, document: Document, has_template: HasTemplate) -> Iterator[Problem]:
    """Yield what is legal but hardly meant."""
    if not settings.clusters:
        yield document.problem(("clusters",), "no cluster is watched", "add one under clusters")
    if not settings.channels:
        yield document.problem(("channels",), "nobody is told anything", "add a channel under channels")
    if settings.server.public_url is not None:
        message = "links in messages lead to pages that this release does not serve yet"
        yield document.problem(("server", "public_url"), message, "leave it out until then")
    yield from _cluster_warnings(settings, document)
    yield from _rule_warnings(settings, document)
    kinds = {channel.name: channel.kind for channel in settings.destinations}
    for at, rule in enumerate(settings.rules):
        for channel in rule.channels if rule.template is not None else ():
            if channel in kinds and not has_template(kinds[channel], rule.template or ""):
                message = f"there is no template {rule.template} for {kinds[channel]} (channel {channel})"
                yield document.problem(("rules", at, "template"), message, "a plain message will go out")


def _repeated(found: Sequence[tuple[Loc, str]], document: Document) -> Iterator[Problem]:
    names = [name for _, name in found]
    for at, (place, name) in enumerate(found):
        if name in names[:at]:
            yield document.problem(place, f"{name!r} is taken", "every name may stand once")


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
    for at, rule in enumerate(settings.rules):
        for key, message in _never(rule.match, clusters):
            yield document.problem(("rules", at, "match", key), f"this rule can never match: {message}", None)
        for earlier in settings.rules[:at]:
            if earlier.stop and earlier.when is None and _covers(earlier.match, rule.match):
                message = f"this rule is never reached: {earlier.name!r} above takes the same and stops"
                yield document.problem(("rules", at), message, "move it up, or drop stop there")
                break


def _never(match: Match, clusters: Sequence[str]) -> Iterator[tuple[str, str]]:
    types = [name for name in CATALOGUE if match.type is None or Patterns(match.type).match(name)]
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


def _covers(wide: Match, narrow: Match) -> bool:
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
