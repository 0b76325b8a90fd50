"""The catalogue of event types: one table from which the reference, the schemas and the samples are made."""

from dataclasses import dataclass
from datetime import timedelta

from relay.model import details as d
from relay.model import trust_details as t
from relay.model.event import SubjectKind
from relay.model.hook_types import LASTING, ONCE
from relay.model.severity import Severity


@dataclass(frozen=True, slots=True)
class EventType:
    """What an event type means. ``lasting`` types are alerts, the others one-off events.

    ``hold`` is how long an alert's condition must hold before it fires, where the configuration says nothing.
    ``stands_for`` is the type of the one-off events that an alert tells in their place. What it lists is told
    nowhere else, so it is treated as they are: no larger alert covers it, and nothing delays it.
    """

    name: str
    meaning: str
    severity: Severity
    subject: SubjectKind
    details: type[d.Details]
    lasting: bool = True
    hold: timedelta = timedelta(0)
    stands_for: str | None = None

    @property
    def about_relay(self) -> bool:
        """Whether the relay tells this about itself."""
        return self.subject in _OWN


_OWN = {
    SubjectKind.CHANNEL,
    SubjectKind.DELIVERY,
    SubjectKind.TEMPLATE,
    SubjectKind.STORE,
    SubjectKind.CONFIGURATION,
    SubjectKind.RELAY,
}

_K, _S = SubjectKind, Severity

CATALOGUE: dict[str, EventType] = {
    each.name: each
    for each in (
        EventType(
            "trust.deleted",
            "The signing data of a repository was deleted from the notary server.",
            _S.CRITICAL,
            _K.REPOSITORY,
            t.TrustDeletion,
            lasting=False,
        ),
        EventType(
            "trust.mass_deletion",
            "Signing data was deleted many times in a short time. While it fires, it lists each further "
            "deletion, which is then not told by itself.",
            _S.CRITICAL,
            _K.CLUSTER,
            d.MassDeletion,
            stands_for="trust.deleted",
        ),
        EventType(
            "trust.updated",
            "The signing data of a repository was written: somebody signed. Where the relay could not "
            "examine it, the server may merely have renewed an expired timestamp on a read.",
            _S.INFO,
            _K.REPOSITORY,
            t.TrustUpdate,
            lasting=False,
        ),
        EventType(
            "trust.resigned",
            "The server renewed an expired timestamp because somebody read it: nobody signed anything.",
            _S.INFO,
            _K.REPOSITORY,
            d.TrustRecord,
            lasting=False,
        ),
        EventType(
            "trust.reinitialized",
            "A repository has a new root: critical if the keys of the former one did not sign it, else a "
            "warning.",
            _S.CRITICAL,
            _K.REPOSITORY,
            t.Reinitialized,
            lasting=False,
        ),
        EventType(
            "trust.root_rotated",
            "A new root, signed by the former one's keys, puts other keys in the place of some.",
            _S.WARNING,
            _K.REPOSITORY,
            t.KeysRotated,
            lasting=False,
        ),
        EventType(
            "trust.signer_added",
            "A delegation, or a key of one, may sign tags of a repository now.",
            _S.WARNING,
            _K.REPOSITORY,
            t.SignersChanged,
            lasting=False,
        ),
        EventType(
            "trust.signer_removed",
            "A delegation, or a key of one, may no longer sign tags of a repository.",
            _S.WARNING,
            _K.REPOSITORY,
            t.SignersChanged,
            lasting=False,
        ),
        EventType(
            "trust.tag_removed",
            "Tags of a repository are no longer signed.",
            _S.WARNING,
            _K.REPOSITORY,
            t.TagsRemoved,
            lasting=False,
        ),
        EventType(
            "trust.tag_moved",
            "Under tags of a repository something else is signed than before.",
            _S.INFO,
            _K.REPOSITORY,
            t.TagsMoved,
            lasting=False,
        ),
        EventType(
            "trust.version_regressed",
            "Trust data went back to an older version without having been deleted: an old state was put in "
            "the place of a newer one.",
            _S.CRITICAL,
            _K.REPOSITORY,
            t.VersionRegressed,
            lasting=False,
        ),
        EventType(
            "trust.invalid",
            "Trust data of a repository does not verify: it was tampered with, or is broken.",
            _S.CRITICAL,
            _K.REPOSITORY,
            t.TrustInvalid,
        ),
        EventType(
            "trust.expiring",
            "Trust data of a repository expires soon, or has expired: then clients refuse it, and it is an "
            "error.",
            _S.WARNING,
            _K.REPOSITORY,
            t.TrustExpiring,
        ),
        EventType(
            "trust.unreadable",
            "The changefeed holds a record that cannot be understood; it may be a deletion.",
            _S.CRITICAL,
            _K.REPOSITORY,
            d.UnreadableRecord,
            lasting=False,
        ),
        EventType(
            "cluster.issue",
            "MSR's database reports an issue; critical if the database calls it so.",
            _S.WARNING,
            _K.ISSUE,
            d.Issue,
        ),
        EventType(
            "cluster.split_brain",
            "The replicas' answers about their cluster contradict each other: it may be split.",
            _S.CRITICAL,
            _K.CLUSTER,
            d.SplitBrain,
        ),
        EventType(
            "quorum.at_risk",
            "The cluster has quorum, but the loss of one more replica breaks it.",
            _S.ERROR,
            _K.CLUSTER,
            d.Quorum,
        ),
        EventType(
            "quorum.lost",
            "By what can be read, too few of the cluster's replicas are healthy for a quorum. Usually such a "
            "cluster cannot be read at all: then watch.failing tells it.",
            _S.CRITICAL,
            _K.CLUSTER,
            d.Quorum,
        ),
        EventType(
            "replica.unhealthy",
            "The cluster calls a replica unhealthy.",
            _S.WARNING,
            _K.REPLICA,
            d.ReplicaHealth,
        ),
        EventType(
            "replica.missing",
            "A replica that the cluster had is no longer mentioned.",
            _S.WARNING,
            _K.REPLICA,
            d.ReplicaMissing,
        ),
        EventType(
            "replica.readonly", "A replica takes no writes.", _S.WARNING, _K.REPLICA, d.ReplicaReadonly
        ),
        EventType(
            "replica.stale",
            "A replica has not reported for too long.",
            _S.WARNING,
            _K.REPLICA,
            d.ReplicaStale,
        ),
        EventType(
            "replica.view_stale",
            "A replica's answer about the cluster is old news compared with the others'.",
            _S.WARNING,
            _K.REPLICA,
            d.ViewStale,
        ),
        EventType(
            "gc.held",
            "A replica holds the lock of garbage collection for too long.",
            _S.WARNING,
            _K.REPLICA,
            d.GcHeld,
            hold=timedelta(hours=6),
        ),
        EventType(
            "ping.failing",
            "A replica says that it is unhealthy, or cannot be reached.",
            _S.WARNING,
            _K.REPLICA,
            d.Ping,
        ),
        EventType(
            "ping.slow",
            "A replica answers its ping much more slowly than it usually does.",
            _S.WARNING,
            _K.REPLICA,
            d.PingSlow,
        ),
        EventType(
            "nginx.saturated",
            "A replica's nginx has too many connections or dropped some.",
            _S.WARNING,
            _K.REPLICA,
            d.Nginx,
        ),
        EventType(
            "watch.failing",
            "Something of a cluster cannot be read; critical if nothing can, or if its replicas answer "
            "nothing but internal server errors, as without quorum.",
            _S.WARNING,
            _K.CLUSTER,
            d.WatchFailing,
        ),
        EventType(
            "changefeed.reset",
            "The changefeed was rebuilt or restored; it is read again from its beginning.",
            _S.CRITICAL,
            _K.FEED,
            d.FeedReset,
        ),
        *(EventType(*row, lasting=False) for row in ONCE),
        *(EventType(*row) for row in LASTING),
        EventType(
            "channel.failing",
            "A channel does not take messages; they wait.",
            _S.WARNING,
            _K.CHANNEL,
            d.ChannelTrouble,
        ),
        EventType(
            "channel.disabled",
            "A channel was disabled, by a user or because its receiver is gone; its messages wait.",
            _S.WARNING,
            _K.CHANNEL,
            d.ChannelTrouble,
        ),
        EventType(
            "delivery.dead",
            "A receiver refused a message for good.",
            _S.WARNING,
            _K.DELIVERY,
            d.DeadDelivery,
            lasting=False,
        ),
        EventType(
            "template.failing",
            "A template cannot be rendered; its messages go out in a plain form.",
            _S.WARNING,
            _K.TEMPLATE,
            d.TemplateTrouble,
        ),
        EventType("store.failing", "The store cannot be written.", _S.WARNING, _K.STORE, d.StoreTrouble),
        EventType(
            "config.rejected",
            "A changed configuration cannot be used; the old one goes on.",
            _S.WARNING,
            _K.CONFIGURATION,
            d.ConfigTrouble,
        ),
        EventType(
            "heartbeat.failing",
            "A dead man's switch cannot be reached; it will soon raise an alarm of its own.",
            _S.WARNING,
            _K.RELAY,
            d.HeartbeatTrouble,
        ),
        EventType(
            "relay.heartbeat",
            "The relay is alive: told on a schedule, to the one channel that the heartbeat names.",
            _S.INFO,
            _K.RELAY,
            d.Heartbeat,
            lasting=False,
        ),
        EventType(
            "evidence.anchored",
            "Where the evidence log ends: told on a schedule, to the one channel that is configured for it.",
            _S.INFO,
            _K.RELAY,
            d.EvidenceAnchored,
            lasting=False,
        ),
        EventType(
            "relay.resumed",
            "The relay was away, not running or asleep, and watches again.",
            _S.WARNING,
            _K.RELAY,
            d.Resumed,
            lasting=False,
        ),
        EventType(
            "relay.test",
            "A test message, asked for with msr-relay send-test.",
            _S.INFO,
            _K.CHANNEL,
            d.Test,
            lasting=False,
        ),
    )
}


def stands_for(type_name: str) -> str | None:
    """Return the type of the one-off events that an alert type tells in their place; None for all others."""
    kind = CATALOGUE.get(type_name)
    return None if kind is None else kind.stands_for
