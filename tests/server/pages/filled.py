"""A store with something of everything in it, and what a running relay would know beside it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from relay.engine.evidence import drafts
from relay.engine.scene import Scene, Silences
from relay.model.alert import Alert, AlertState, Told
from relay.model.catalogue import CATALOGUE
from relay.model.delivery import (
    Attempt,
    ChannelHealth,
    ChannelState,
    Delivery,
    DeliveryState,
    Outcome,
    TargetOutcome,
)
from relay.model.event import Event, Subject, SubjectKind
from relay.model.observation import Look, Watch
from relay.model.plan import Plan
from relay.model.samples import sample
from relay.model.silence import Acknowledgement, Silence
from relay.model.trust import Head, Kept, Snapshot
from relay.server import Running, Watched
from relay.settings import Settings
from relay.store import Deed, DeliveryQuery, Settlement
from relay.trust import Keys, State, Tag
from tests.server.conftest import Site
from tests.store.things import NOW, later

NASTY = "<script>alert(1)</script>\u202eevil\u202c" + "Ü" * 300
"""What somebody might call a thing: markup, text that turns around, and no end of it."""
REPLICAS = ("msr-1.example.com", "msr-2.example.com", "msr-3.example.com")
WEBHOOK = "https://hooks.example.com/relay"
ROLES = ("root", "timestamp", "snapshot", "targets", "targets/releases")


def settings(**more: Any) -> Settings:
    """Settings of two clusters and three channels."""
    return Settings.model_validate(
        {
            "clusters": [
                {
                    "name": "prod",
                    "url": "https://msr.example.com",
                    "replicas": [f"https://{each}" for each in REPLICAS],
                },
                {"name": "stage", "url": "https://msr.stage.example.com"},
            ],
            "channels": [
                {"name": "soc", "kind": "webhook", "url": WEBHOOK},
                {"name": "ops", "kind": "console"},
                {"name": "on/call", "kind": "console"},
            ],
            **more,
        }
    )


def looks() -> list[Watched]:
    """What the watchers saw last: one replica of prod answers nothing, stage was not looked at yet."""
    every = timedelta(seconds=15)
    status, ping = Watch("prod", "cluster_status"), Watch("prod", "ping")
    return [
        Watched(
            Look(status, REPLICAS, 1.0, later(-4), {REPLICAS[1]: "connection refused"}), every, later(11)
        ),
        Watched(Look(ping, REPLICAS, 1.0, later(-90)), every, later(-75), late=75.0),
        Watched(Look(Watch("stage", "cluster_status"), ("msr.stage.example.com",)), every, later(1)),
    ]


def alerts() -> list[Alert]:
    """One alert of every sort that a page marks."""
    found = []
    for number, kind in enumerate(each for each in CATALOGUE.values() if each.lasting):
        event = sample(kind.name)
        assert event.alert is not None
        found.append(
            Alert(
                id=event.alert,
                fingerprint=f"fingerprint of {kind.name}",
                type=event.type,
                cluster=event.cluster,
                watcher="cluster_status",
                source="",
                state=AlertState.FIRING if number % 5 else AlertState.PENDING,
                severity=event.severity,
                subject=event.subject,
                summary=event.summary,
                starts_at=later(-60 * number),
                fired_at=later(-60 * number),
                inhibited=number == 3,
                told=(Told("all", "soc", NOW, on_resolve=True),),
                details=event.details,
                annotations={"runbook_url": "https://wiki.example.com/<x>"},
            )
        )
    strange = replace(
        found[1],
        id="alr_strange",
        fingerprint="strange",
        summary=NASTY,
        cluster=NASTY[:90],
        subject=Subject(SubjectKind.REPLICA, NASTY),
        labels={NASTY: NASTY},
    )
    over = replace(
        found[1],
        id="alr_over",
        fingerprint="over",
        state=AlertState.RESOLVED,
        ends_at=later(-5),
        ended_because="x",
    )
    return [*found, strange, over]


def events() -> list[Event]:
    """One event of every type, and a strange one."""
    strange = replace(
        sample("trust.deleted"),
        id="evt_strange",
        summary=NASTY,
        subject=Subject(SubjectKind.REPOSITORY, f"prod/{NASTY}", gun=NASTY),
        details={NASTY: {NASTY: [NASTY, None, True, {}]}},
    )
    return [*(sample(name) for name in CATALOGUE), strange]


def state() -> State:
    """The trust data of a repository."""
    keys = {role: f"{n}" * 64 for n, role in enumerate(ROLES)}
    return State(
        sha256="a" * 64,
        versions=dict.fromkeys(ROLES, 3),
        expires=dict.fromkeys(ROLES, later(86400 * 30)),
        hashes=dict.fromkeys(ROLES, "b" * 64),
        tags={
            "targets": {"1.0": Tag("c" * 64, 1234), NASTY[:60]: Tag("d" * 64, 99)},
            "targets/releases": {"2.0": Tag("e" * 64, 777)},
        },
        roles={role: Keys((key,), 1) for role, key in keys.items()},
        public_keys=dict.fromkeys(keys.values(), ("ecdsa", "AAAA")),
        signers={role: (key,) for role, key in keys.items()},
    )


def heads() -> list[Head]:
    """The newest records of some repositories: signed, deleted, strange."""
    names = ("prod/app", "prod/gone", f"prod/{NASTY[:200]}")
    return [
        Head(
            cluster="prod",
            gun=f"msr.example.com/{name}",
            repository=name,
            record=f"record-{n}",
            event=f"evt_head{n}",
            at=later(-3600),
            version=0 if n == 1 else 3,
            sha256="" if n == 1 else "a" * 64,
            deleted=n == 1,
            wanted=n != 1,
        )
        for n, name in enumerate(names)
    ]


def deliveries(told: list[Event]) -> list[Delivery]:
    """Some deliveries in every state."""
    found = []
    for number, each in enumerate(DeliveryState):
        over = each not in (DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.SILENCED)
        failed = each in (DeliveryState.DEAD, DeliveryState.PARTIAL)
        event = told[number]
        found.append(
            Delivery(
                f"dlv_{each}",
                "soc" if number % 2 == 0 else "on/call",
                "default",
                event.thread,
                (event.id,),
                created_at=later(-600 + number),
                due_at=later(-600 + number),
                ready_at=later(-600 + number),
                state=each,
                finished_at=later(-590 + number) if over else None,
                last_error="the receiver answered 410: gone <b>" if failed else None,
                note="outside of its rule's times" if each is DeliveryState.MUTED else None,
            )
        )
    return found


async def fill(site: Site) -> None:
    """Fill the store of a site, and set what its relay knows."""
    told, known = events(), alerts()
    sent = deliveries(told)
    first, gone, strange = heads()
    snapshot = Snapshot(later(-3500), first, state().write())
    # Heads are kept as wanted; what is found out about them comes after.
    await site.store.commit(
        Plan(
            at=later(-3600),
            events=tuple(told),
            unrouted=frozenset({told[-1].id}),
            alerts=tuple(known),
            deliveries=tuple(sent),
            heads=(first, gone, strange),
            evidence=drafts((each for each in told if each.type.startswith("trust.")), [snapshot]),
        )
    )
    kept = await site.store.kept_trust([each.key for each in (first, gone, strange)])
    await site.store.commit(Plan(at=NOW, kept=tuple(_found(each) for each in kept.values())))
    await _attempt(site, sent)
    await site.store.save_health(
        ChannelHealth("on/call", ChannelState.FAILING, later(-300), 7, f"refused: {NASTY}", later(30))
    )
    await site.store.save_health(ChannelHealth("former", ChannelState.DISABLED, later(-9), by="ann"))
    silence = Silence(
        "sil_1", {"type": ["ping.*"], "labels": {"team": [NASTY]}}, later(-60), later(3600), "ann", NASTY, NOW
    )
    over = replace(silence, id="sil_over", ends_at=later(-10), comment="of yesterday")
    for each in (silence, over):
        await site.store.save_silence(each, Deed(NOW, "ann <b>", "silence", each.id, NASTY))
    acknowledged = Acknowledgement(known[2].id, "ann", later(-30), NASTY, None, "page")
    await site.store.acknowledge(acknowledged, Deed(NOW, "ann", "acknowledge", known[2].id))
    site.settings = settings()
    open_ones = {each.id: each for each in known if each.state is not AlertState.RESOLVED}
    site.running = Running(
        NOW,
        site.running.router,
        Scene(open_ones, Silences([silence]), {acknowledged.thread: acknowledged}),
        looks(),
        (),
        {"dispatcher": f"stuck for 5m {NASTY}"},
    )


def _found(kept: Kept) -> Kept:
    if kept.head.repository == "prod/app":
        return replace(kept, state=state().write(), state_at=later(-3600), expires_at=later(86400 * 30))
    if kept.head.deleted:
        return replace(kept, deletions=1, lost_at=later(-3600), state=state().write())
    return replace(kept, problem=NASTY)


async def _attempt(site: Site, sent: list[Delivery]) -> None:
    """Note attempts of what was delivered, refused in part, and for good."""
    outcomes = {
        DeliveryState.DELIVERED: Outcome.DELIVERED,
        DeliveryState.PARTIAL: Outcome.REJECTED,
        DeliveryState.DEAD: Outcome.REJECTED,
    }
    for each in await site.store.views.replayable(DeliveryQuery(states=list(outcomes))):
        outcome = outcomes[each.state]
        for number in (1, 2):
            last = number == 2
            await site.store.settle(
                Settlement(
                    replace(each, attempts=number),
                    Attempt(
                        each.id,
                        number,
                        later(-599 + number),
                        0.25,
                        outcome if last else Outcome.RETRY,
                        410 if last and outcome is Outcome.REJECTED else 200 if last else 503,
                        None if outcome is Outcome.DELIVERED and last else "it answered <503>",
                        "<html>answer</html>",
                        (TargetOutcome("ann@example.com", outcome, 250, "x <y>"),),
                        '{"type": "trust.deleted", "x": "<script>"}',
                    ),
                )
            )
