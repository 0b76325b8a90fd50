"""What it costs to find the rules that take an event, of one rule and of ten thousand."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from bench.figures import Section, Table, ratios, spread
from relay.app import build
from relay.engine.routing import Router
from relay.model.event import Event, Subject, SubjectKind
from relay.model.samples import sample
from relay.settings import read

_CLUSTERS, _CHANNELS, _CHECKED = 20, 50, 200
_EVERYTHING = {"name": "everything", "match": {"severity": ">= info"}, "channels": ["ch0"]}
_TYPES = ("trust.deleted", "trust.updated", "msr.scan_completed", "alertmanager.alert", "ping.failing")
_SHARES = (40, 30, 15, 10, 5)

Rules = list[dict[str, Any]]


def _of_teams(count: int) -> Rules:
    """Rules as many teams write them, four each, and two for everybody."""
    made: Rules = [
        {"name": "critical", "match": {"severity": "critical"}, "channels": ["ch0"]},
        {"name": "pings", "match": {"type": "ping.*", "severity": ">= error"}, "channels": ["ch1"]},
    ][: count // 10]
    for number in range(count - len(made)):
        team = f"team{number // 4}"
        here = {"cluster": _cluster(number // 4)}
        match: dict[str, Any] = (
            {"type": ["trust.deleted", "trust.mass_deletion"], "repository": f"{team}/**", **here},
            {"type": "msr.*", "repository": f"{team}/app-*", "severity": ">= warning", **here},
            {"labels": {"team": team}},
            {"repository": [f"{team}/prod-*", f"!{team}/prod-scratch*"]},
        )[number % 4]
        made.append({"name": f"{team}-{number % 4}", "match": match, "channels": [f"ch{number % _CHANNELS}"]})
    return made


def _alike(count: int) -> Rules:
    """Rules that share the type and the cluster, and name no namespace: by nature each has to be asked."""
    match = {"type": "trust.deleted", "cluster": _cluster(0)}
    return [
        {"name": f"r{number}", "match": {**match, "repository": f"**/app{number}"}, "channels": ["ch0"]}
        for number in range(count)
    ]


def _cluster(number: int) -> str:
    return f"c{number % _CLUSTERS}"


def _events(teams: int, count: int) -> list[Event]:
    """Events of so many teams, of all types in turn and of any severity that these have."""
    source = random.Random(1)
    made = []
    for kind in source.choices(_TYPES, _SHARES, k=count):
        number = source.randrange(teams)
        part = source.choice(("app", "prod", "prod-scratch"))
        event = replace(sample(kind), cluster=_cluster(number))
        if event.subject.kind is SubjectKind.REPOSITORY:
            name = f"team{number}/{part}-{source.randrange(100)}"
            event = replace(event, subject=Subject(SubjectKind.REPOSITORY, name))
        made.append(replace(event, labels={"team": f"team{number}"} if kind == _TYPES[3] else {}))
    return made


def _file(folder: Path, rules: Rules) -> Path:
    watch = {"watch": {"ping": "off"}}
    clusters = [{"name": _cluster(n), "url": "https://127.0.0.1:9", **watch} for n in range(_CLUSTERS)]
    channels = [{"name": f"ch{number}", "kind": "console"} for number in range(_CHANNELS)]
    settings = {"store": f"sqlite:///{folder / 'relay.db'}", "clusters": clusters, "channels": channels}
    file = folder / f"relay{len(rules)}.yaml"
    file.write_text(yaml.dump({**settings, "rules": rules}, Dumper=yaml.CSafeDumper))
    return file


def _router(folder: Path, rules: Rules) -> Router:
    """Return the router as the relay builds it: from a file."""
    return build.router(read(_file(folder, rules), {}, None).settings)


def _check(router: Router, events: Sequence[Event]) -> float:
    """Fail unless events go where they go when each rule is asked; return how many rules take one."""
    taken = 0
    for event in events:
        said = router.explain(event)
        asked = [(each.rule, channel) for each in said for channel in each.channels]
        assert asked == [(each.rule, each.channel) for each in router.route(event)], event
        taken += sum(not each.misses for each in said)
    return taken / len(events)


def _seconds(router: Router, events: Sequence[Event]) -> float:
    """Return the seconds for one event."""
    began = time.perf_counter()
    for event in events:
        router.route(event)
    return (time.perf_counter() - began) / len(events)


def _table(
    folder: Path, name: str, made: Callable[[int], Rules], sizes: Sequence[int], rounds: int, most: int
) -> Table:
    one = _router(folder, [_EVERYTHING])
    rows = []
    for size in sizes:
        print(f"matching: {size} {name}", file=sys.stderr, flush=True)
        router = _router(folder, made(size))
        # Where each rule is asked, fewer events do.
        count = most if made is _of_teams else max(_CHECKED, most // size)
        events = _events(max(1, size // 4), count)
        taken = _check(router, events[: max(20, _CHECKED * 10 // max(size, 10))])
        yardstick, found = [], []
        for _ in range(rounds):
            yardstick.append(_seconds(one, events))
            found.append(_seconds(router, events))
        rate = spread([1 / seconds for seconds in found]).shown(",.0f")
        rows.append((f"{size:,}", f"{taken:.1f}", rate, ratios(found, yardstick).shown()))
    return Table((name, "of which take an event", "events/s", "cost, in costs of one rule"), tuple(rows))


def _checked(folder: Path, rules: Rules) -> float:
    """Run `msr-relay check`; return the seconds that it took."""
    command = [sys.executable, "-m", "relay", "check", "--config", str(_file(folder, rules))]
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _reading(folder: Path, sizes: Sequence[int], rounds: int) -> Table:
    found: dict[int, list[float]] = {size: [] for size in sizes}
    for number in range(rounds):
        print(f"matching: reading the rules, round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for size in sizes:
            found[size].append(_checked(folder, _of_teams(size)))
    rows = [
        (f"{size:,}", spread(took).shown(".1f"), ratios(took, found[sizes[0]]).shown())
        for size, took in found.items()
    ]
    return Table(("rules", "`msr-relay check`, s", "times one rule"), tuple(rows))


def measure(
    sizes: Sequence[int] = (10, 100, 1_000, 10_000), rounds: int = 5, most: int = 50_000, starts: int = 3
) -> Section:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = (
            _table(folder, "rules of many teams", _of_teams, sizes, rounds, most),
            _table(folder, "rules all alike", _alike, sizes, rounds, most),
            _reading(folder, (1, *sizes[2:]), starts),
        )
    return Section(
        "Matching rules",
        "Events through the rules, routed as the relay does it with rules read from a file; nothing is "
        "planned or stored. The rules of many teams name types, clusters, namespaces and labels of their "
        "own, some only a severity; the events are of the same teams. The yardstick, in the same round, is "
        "the same events through one rule that takes each of them. Goal: 10,000 rules cost at most 3 times "
        "as much as one. Of some events it is verified that they go where they go when every rule is "
        "asked.\n\nThe second table is the worst case: all rules share the type and the cluster and name no "
        "namespace. The last one is what so many rules cost when they are read and checked, at each start "
        "and reload.",
        tables,
        "Rules are looked up by type, cluster, namespace and one label. Those that an event finds by all "
        "four are asked one by one: where all rules are alike in these, the cost grows with their number. So "
        "it does for an event whose repository has no readable name, since it goes to every rule about some "
        "repository.",
    )
