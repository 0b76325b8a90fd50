"""Samples of the events about trust data."""

from datetime import UTC, datetime, timedelta

from relay.model import details as d
from relay.model import trust_details as t

_WHEN = datetime(2026, 11, 23, 20, 58, 11, 165146, tzinfo=UTC)
_APP = "prod/app"
_FEED = "all repositories"
_RECORD = "9d7b3f51"
_SHA256 = "3b" * 32
_ALICE, _BOB, _ROOT, _OTHER_ROOT = "a1" * 32, "b0" * 32, "07" * 32, "66" * 32
_TIE = {"record_id": _RECORD, "version": 7, "sha256": _SHA256}


def _tag(name: str, digest: str, role: str = "targets/releases") -> t.SignedTag:
    return t.SignedTag(tag=name, role=role, sha256=digest * 32, length=1372)


_TAGS = [_tag("2.0", "c4"), _tag("2.1", "5e"), _tag("latest", "5e")]

TRUST_DETAILS: dict[str, tuple[str, str, d.Details]] = {
    "trust.deleted": (
        _APP,
        "Trust data of prod/app was deleted",
        t.TrustDeletion(
            record_id="9d7b3f52",
            version=0,
            sha256="",
            feed=_FEED,
            lost=t.Lost(
                exact=True,
                version=7,
                written_at=_WHEN - timedelta(days=3),
                tags=_TAGS,
                more=0,
                signers=[t.Signer(role="targets/releases", keys=[_ALICE, _BOB], threshold=1)],
                root_keys=[_ROOT],
                targets_keys=["7a" * 32],
                expires=[
                    t.Expiry(role="root", at=_WHEN + timedelta(days=3000)),
                    t.Expiry(role="targets", at=_WHEN + timedelta(days=900)),
                ],
            ),
            outside_change_window=None,
            first_in_namespace=False,
        ),
    ),
    "trust.updated": (
        _APP,
        "prod/app: signed 2.1, latest (version 7)",
        t.TrustUpdate(
            record_id=_RECORD,
            version=7,
            sha256=_SHA256,
            feed=_FEED,
            examined=True,
            signed_by=["targets/releases"],
            signed=_TAGS[1:],
            removed=[],
            tags=3,
        ),
    ),
    "trust.resigned": (
        _APP,
        "The server renewed the expired timestamp of prod/app: nobody signed",
        d.TrustRecord(record_id=_RECORD, version=8, sha256=_SHA256, feed=_FEED),
    ),
    "trust.reinitialized": (
        _APP,
        "prod/app was initialised again, under keys that the former root did not sign",
        t.Reinitialized(
            **_TIE | {"version": 1},
            deleted_at=_WHEN - timedelta(minutes=4),
            signed_by_old_root=False,
            former_root_keys=[_ROOT],
            root_keys=[_OTHER_ROOT],
            former_tags=3,
            tags=[_tag("2.1", "ee", "targets")],
        ),
    ),
    "trust.root_rotated": (
        _APP,
        "Keys of prod/app were rotated: targets",
        t.KeysRotated(
            **_TIE,
            root_version=2,
            rotated=[
                t.RotatedKeys(
                    role="targets", added=["8b" * 32], removed=["7a" * 32], threshold=1, former_threshold=1
                )
            ],
        ),
    ),
    "trust.signer_added": (
        _APP,
        "prod/app: releases may sign now",
        t.SignersChanged(**_TIE, signers=[t.Signer(role="targets/releases", keys=[_BOB], threshold=1)]),
    ),
    "trust.signer_removed": (
        _APP,
        "prod/app: releases may no longer sign",
        t.SignersChanged(**_TIE, signers=[t.Signer(role="targets/releases", keys=[_ALICE], threshold=1)]),
    ),
    "trust.tag_removed": (
        _APP,
        "prod/app: 2.0 is no longer signed",
        t.TagsRemoved(**_TIE, tags=_TAGS[:1], more=0, left=2),
    ),
    "trust.tag_moved": (
        _APP,
        "prod/app: latest has other content than before",
        t.TagsMoved(
            **_TIE,
            tags=[
                t.MovedTag(
                    tag="latest", role="targets/releases", before="c4" * 32, after="5e" * 32, length=1372
                )
            ],
            more=0,
        ),
    ),
    "trust.version_regressed": (
        _APP,
        "Trust data of prod/app went back to an older version",
        t.VersionRegressed(
            **_TIE | {"version": 4},
            regressed=[
                t.Regression(role="targets", before=6, after=4),
                t.Regression(role="timestamp", before=7, after=4),
            ],
        ),
    ),
    "trust.invalid": (
        _APP,
        "Trust data of prod/app does not verify",
        t.TrustInvalid(**_TIE, role="targets", reason="0 of its 1 keys signed it; 1 must"),
    ),
    "trust.expiring": (
        _APP,
        "prod/app: targets metadata expires 2026-12-14",
        t.TrustExpiring(
            role="targets", expires_at=_WHEN + timedelta(days=21), expired=False, version=6, tags=3
        ),
    ),
}
"""Subject, summary and details of each."""
