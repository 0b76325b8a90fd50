"""The store: every question and every write of the product is a method here."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from relay.model.access import Token
from relay.model.alert import Alert
from relay.model.delivery import Attempt, ChannelHealth, Delivery, DeliveryState
from relay.model.event import Event
from relay.model.evidence import Head
from relay.model.observation import CursorMove
from relay.model.plan import Group, Plan, Rewrite
from relay.model.silence import Acknowledgement, Silence
from relay.model.steps import Step
from relay.model.trust import Kept
from relay.store import access, deeds, evidence, pruning, queue, reads, requests, trust, writes
from relay.store.deeds import Deed, Replays
from relay.store.evidence import EvidenceCut, Stretch, Take
from relay.store.opened import Opened
from relay.store.pruning import Cut, Place, Pruned
from relay.store.queue import Claim, Waiting
from relay.store.reads import Filter
from relay.store.requests import Request
from relay.store.views import queues
from relay.store.views.queues import Queue
from relay.store.writes import Settlement


class Store(Opened):
    """An open store. All methods raise StoreError if the database fails.

    A write has returned only when it is durable. What people look at, page by page, is ``views``.
    """

    _pruned_to: Place | None = None

    async def commit(self, plan: Plan) -> None:
        """Make a plan true, all of it or nothing.

        Raises CursorMovedError if the plan's cursor is not where it was read, or if an anchor of the evidence
        states another head than it has by now.
        """
        await self._write(self._commit, plan, "commit")
        self._reach(Step.COMMITTED)

    async def settle(self, *settlements: Settlement) -> None:
        """Record attempts and what they made of their deliveries: all of them, or nothing."""
        await self._write(self._settle, settlements, "settle")
        for _ in settlements:
            self._reach(Step.SETTLED)

    async def rewrite(self, found: Rewrite) -> None:
        """Write what became of waiting deliveries: all of it, or nothing if any is finished already."""
        await self._write(self._rewrite, found, "rewrite")
        self._reach(Step.REWRITTEN)

    async def look_again(self, state: DeliveryState, now: datetime) -> None:
        """Make due what is held back in a state: what holds it back may have changed."""
        await self._write(writes.look_again, (state, now))

    async def save_silence(self, silence: Silence, deed: Deed) -> None:
        """Save a silence, and who made or ended it."""
        await self._write(deeds.save_silences, (silence, deed))

    async def acknowledge(self, found: Acknowledgement, deed: Deed) -> None:
        """Save an acknowledgement, in place of an earlier one, and who made it."""
        await self._write(deeds.acknowledge, (found, deed))

    async def unacknowledge(self, thread: str, deed: Deed) -> None:
        """Forget an acknowledgement, and write down who wanted that."""
        await self._write(deeds.unacknowledge, (thread, deed))

    async def save_health(self, health: ChannelHealth) -> None:
        """Save a channel's health."""
        await self._write(writes.save_health, health)

    async def hasten(self, channel: str, now: datetime) -> None:
        """Make due what a channel has tried in vain and would try again later."""
        await self._write(writes.hasten, (channel, now))

    async def beat(self, now: datetime, move: CursorMove | None = None) -> None:
        """Write that the relay is alive, in one transaction with the move of a cursor, if there is one.

        Raises CursorMovedError, and then nothing is written.
        """
        await self._write(writes.beat, (now, move))

    async def last_beat(self) -> datetime | None:
        """Return when the relay last wrote that it is alive, None if never."""
        return await self._read(reads.last_beat)

    async def probe(self, now: datetime) -> None:
        """Find out whether the store can be written. It is no sign of life: those are evidence."""
        await self._write(writes.probe, now)

    async def keep_first(self, scope: str, value: str) -> str:
        """Keep a value under a scope, unless one is there already; return the one that is there then."""
        kept: str = await self._write(writes.keep_first, (scope, value))
        return kept

    async def record(self, deed: Deed) -> None:
        """Write down what a user did."""
        await self._write(deeds.record, deed)

    async def add_token(self, token: Token, hash: str, deed: Deed) -> bool:
        """Add a token with the hash of its secret; tell whether its name was free among the valid ones."""
        added: bool = await self._write(access.add_tokens, (token, hash, deed))
        return added

    async def revoke_token(self, id: str, deed: Deed) -> bool:
        """Revoke a token at the time of the deed; tell whether it was not revoked before."""
        revoked: bool = await self._write(access.revoke_tokens, (id, deed))
        return revoked

    async def touch_token(self, id: str, at: datetime) -> None:
        """Write when a token was used."""
        await self._write(access.touch_tokens, (id, at))

    async def find_token_by_hash(self, hash: str) -> Token | None:
        """Return the token whose secret has this hash, whether or not it is valid."""
        return await self._read(access.find_token_by_hash, hash)

    async def find_token(self, id: str) -> Token | None:
        """Return the token of an id, whether or not it is valid."""
        return await self._read(access.find_token, id)

    async def list_tokens(self) -> list[Token]:
        """Return all tokens that were ever made, the newest first."""
        return await self._view(access.list_tokens)

    async def any_token(self) -> bool:
        """Tell whether a token was ever made."""
        return await self._view(access.any_token)

    async def add_replays(
        self, replays: Sequence[tuple[Delivery, Deed]], *, fresh: bool = False
    ) -> list[Delivery]:
        """Add deliveries that repeat earlier ones, and who asked for each: all of them or nothing."""
        added: list[Delivery] = await self._write(deeds.add_replays, Replays(replays, fresh))
        return added

    async def know_channels(self, names: Collection[str], now: datetime) -> int:
        """Hold what waits for other channels than these, free what was held for these; return how many
        deliveries are newly held."""
        held: int = await self._write(writes.know_channels, (frozenset(names), now))
        return held

    async def prune(self, cut: Cut) -> int:
        """Remove a bounded number of old rows; return how many went."""
        while True:
            pruned: Pruned = await self._write(pruning.prune, (cut, self._pruned_to))
            self._pruned_to = pruned.place
            if pruned.gone or pruned.place is None:
                return pruned.gone

    async def prune_evidence(self, cut: EvidenceCut) -> int:
        """Put a checkpoint in the place of the oldest evidence, a bounded number; return of how many entries.

        Raises BrokenChainError if they do not hold together: then they stay.
        """
        gone: int = await self._write(evidence.prune, cut)
        return gone

    async def walk_evidence(self, wanted: Stretch, take: Take) -> Head | None:
        """Give the evidence page by page to ``take``, by one state of things, as long as that returns True.

        ``take`` runs in the thread that reads. Return what the store had noted as the last entry, None if
        nothing.
        """
        return await self._read(evidence.walk, wanted, take)

    async def evidence_head(self) -> Head:
        """Return the last entry of the evidence, as it was noted when it was written."""
        return await self._read(evidence.head)

    async def evidence_span(self) -> tuple[int, int]:
        """Return the numbers of the first and last entry of the evidence, 0 and 0 if there is none."""
        return await self._read(evidence.span)

    async def known_events(self, ids: Collection[str]) -> set[str]:
        """Return those of the event ids that are in the store, told or waiting to be examined."""
        return await self._read(reads.known_events, ids)

    async def kept_trust(self, keys: Collection[str]) -> dict[str, Kept]:
        """Return what is kept of repositories' trust data, by key."""
        return await self._read(trust.kept, keys)

    async def trust_deletions(self, cluster: str, namespace: str) -> int:
        """Return how many deletions of trust data in a namespace are known."""
        return await self._read(trust.deletions, cluster, namespace)

    async def waiting_trust(self, cluster: str, limit: int) -> list[trust.WaitingTrust]:
        """Return repositories with events that wait to be examined, those first that have waited longest."""
        return await self._read(trust.waiting, cluster, limit)

    async def waiting_for(self, keys: Collection[str]) -> dict[str, list[Event]]:
        """Return the events that wait for repositories, by key, in the order in which they happened."""
        return await self._read(trust.waiting_for, keys)

    async def still_waiting(self, ids: Collection[str]) -> set[str]:
        """Return those of the event ids that wait to be examined."""
        return await self._read(trust.still_waiting, ids)

    async def waited_since(self, cluster: str | None, before: datetime, limit: int = 1000) -> list[Event]:
        """Return events of a cluster, of any one for None, that have waited since before a time."""
        return await self._read(trust.waited_since, cluster, before, limit)

    async def clusters_waiting(self) -> set[str]:
        """Return the clusters of which events wait to be examined."""
        return await self._read(trust.clusters_waiting)

    async def wanted_trust(self, cluster: str, now: datetime, limit: int) -> list[Kept]:
        """Return repositories that are to be examined by now, the longest wanted first."""
        return await self._read(trust.wanted, cluster, now, limit)

    async def unchecked_trust(self, cluster: str, before: datetime, limit: int) -> list[Kept]:
        """Return repositories that are not known to be gone and were last seen before a time."""
        return await self._read(trust.unchecked, cluster, before, limit)

    async def expiring_trust(self, cluster: str, before: datetime, limit: int) -> list[Kept]:
        """Return repositories of which something expires before a time, the first to expire first."""
        return await self._read(trust.expiring, cluster, before, limit)

    async def invalid_trust(self, cluster: str, limit: int) -> list[Kept]:
        """Return repositories whose trust data does not verify."""
        return await self._read(trust.with_problems, cluster, limit)

    async def events(self, ids: Collection[str]) -> dict[str, Event]:
        """Return the events by their ids; those that are gone are left out."""
        return await self._read(reads.read_events, ids)

    async def open_alerts(self) -> list[Alert]:
        """Return the alerts that are pending or firing."""
        return await self._read(reads.open_alerts)

    async def recent_alerts(self, since: datetime) -> list[Alert]:
        """Return the alerts that ended at or after a time, in the order of their ends."""
        return await self._read(reads.recent_alerts, since)

    async def cursor(self, scope: str) -> str | None:
        """Return how far a scope has been read, None if never."""
        return await self._read(reads.cursor, scope)

    async def healths(self) -> dict[str, ChannelHealth]:
        """Return what is remembered of the channels, by name."""
        return await self._read(reads.healths)

    async def due(self, channel: str, now: datetime, limit: int, taken: Collection[int]) -> list[Claim]:
        """Return at most ``limit`` deliveries of a channel that are due, less those taken (by ``seq``)."""
        return await self._read(queue.due, channel, now, limit, taken)

    async def backlog(self, channel: str, rule: str, now: datetime) -> Waiting:
        """Return everything of a rule that is due in a channel, up to a bounded number."""
        return await self._read(queue.backlog, channel, rule, now)

    async def groups(self, since: datetime) -> list[Group]:
        """Return the groups that were told, or are to be told, at that time or later."""
        return await self._read(reads.open_groups, since)

    async def silences(self, since: datetime) -> list[Silence]:
        """Return the silences that end at that time or later, the first to end first."""
        return await self._read(reads.silences, since)

    async def acknowledgements(self) -> list[Acknowledgement]:
        """Return all acknowledgements that are kept, the newest first."""
        return await self._read(reads.acknowledgements)

    async def acknowledgement(self, thread: str) -> Acknowledgement | None:
        """Return the acknowledgement of an alert or event, whether or not it still holds."""
        return await self._read(reads.acknowledgement, thread)

    async def find_alerts(self, prefix: str) -> list[Alert]:
        """Return the alerts whose id begins so: at most three, enough to tell that it is ambiguous."""
        return await self._read(reads.find_alerts, prefix)

    async def find_events(self, prefix: str) -> list[Event]:
        """Return the events whose id begins so: at most three, enough to tell that it is ambiguous."""
        return await self._read(reads.find_events, prefix)

    async def next_due(self, channel: str, taken: Collection[int]) -> datetime | None:
        """Return when the next delivery of a channel is due that is not taken, None if there is none."""
        return await self._read(queue.next_due, channel, taken)

    async def count_deliveries(self, channel: str | None = None) -> dict[str, int]:
        """Return how many deliveries there are in each state."""
        return await self._read(reads.count_deliveries, channel)

    async def count_waiting(self, channel: str) -> int:
        """Return how many deliveries of a channel are pending; of very many only that they are so many."""
        return await self._read(queue.count_waiting, channel)

    async def queues(self, now: datetime) -> dict[str, Queue]:
        """Return how much waits, by channel; channels for which nothing waits are left out."""
        return await self._view(queues.queues, now)

    async def count_unrouted(self) -> int:
        """Return how many events no rule took."""
        return await self._read(reads.count_unrouted)

    async def begin_request(self, request: Request) -> Request | None:
        """Note that a write is under way; return the one that used its key before, if there is one."""
        earlier: Request | None = await self._write(requests.begin, request)
        return earlier

    async def finish_request(self, request: Request) -> None:
        """Note how a write was answered."""
        await self._write(requests.finish, request)

    async def newest_event(self) -> int:
        """Return the ``seq`` of the newest event, 0 if there is none."""
        return await self._read(reads.newest_event)

    async def events_after(self, seq: int, limit: int) -> list[tuple[int, Event]]:
        """Return (seq, event) of what was taken after a place, in that order."""
        return await self._view(reads.events_after, seq, limit)

    async def list_events(self, wanted: Filter) -> list[tuple[int, bool, Event]]:
        """Return (seq, whether a rule took it, event), the newest first."""
        return await self._read(reads.list_events, wanted)

    async def seen_since(
        self, at: datetime, after: tuple[datetime, int] | None = None, limit: int = 500
    ) -> list[tuple[int, Event]]:
        """Return (seq, event) of what was seen of clusters at that time or later, the earliest first.

        ``after`` are the ``seen_at`` and ``seq`` of the last row of the page before.
        """
        return await self._read(reads.seen_since, at, after, limit)

    async def list_alerts(self, wanted: Filter) -> list[Alert]:
        """Return alerts, the latest to start first."""
        return await self._read(reads.list_alerts, wanted)

    async def list_deliveries(self, wanted: Filter) -> list[Delivery]:
        """Return deliveries, the newest first."""
        return await self._read(reads.list_deliveries, wanted)

    async def deliveries_about(self, alert: str, limit: int = 200) -> list[Delivery]:
        """Return the deliveries that tell of an alert, alone or with others, the newest first."""
        return await self._read(reads.deliveries_about, alert, limit)

    async def open_in_thread(self, channel: str, thread: str) -> list[Delivery]:
        """Return the unfinished deliveries of a thread in a channel, in order, a bounded number of them."""
        return await self._read(reads.open_in_thread, channel, thread)

    async def find_deliveries(self, prefix: str) -> list[Delivery]:
        """Return the deliveries whose id begins so: at most three, enough to tell that it is ambiguous."""
        return await self._read(reads.find_deliveries, prefix)

    async def list_attempts(self, delivery: str) -> list[Attempt]:
        """Return the attempts of a delivery, in order."""
        return await self._read(reads.list_attempts, delivery)

    async def list_deeds(self, limit: int = 50) -> list[dict[str, Any]]:
        """Return what users did, the newest first."""
        return await self._read(reads.list_deeds, limit)

    def _commit(self, connection: Connection, plans: Sequence[Plan]) -> list[None]:
        done = writes.commit_plans(connection, plans)
        self._reach(Step.COMMITTING)
        return done

    def _rewrite(self, connection: Connection, rewrites: Sequence[Rewrite]) -> list[None]:
        done = writes.rewrite(connection, rewrites)
        self._reach(Step.REWRITING)
        return done

    def _settle(self, connection: Connection, runs: Sequence[Sequence[Settlement]]) -> list[None]:
        writes.settle(connection, [each for run in runs for each in run])
        self._reach(Step.SETTLING)
        return [None] * len(runs)
