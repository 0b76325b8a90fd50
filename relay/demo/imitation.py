"""An honest imitation of the documented API of an MSR cluster, for the demonstration and for tests.

It answers as the real one does, good and bad; transport and TLS are the caller's. State is changed by method
calls from the event loop that serves it.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from aiohttp import web

from relay.demo.feed import BackEnd, BackEndError, BadQueryError, Feed, go_int, go_time
from relay.model.clock import Clock

_LEEWAY = timedelta(seconds=60)
"""For how long notary takes a token after its expiry."""
_DEFAULT_RECORDS = 100
_SERVICE = "dtr"
_CATALOG = "registry:catalog:*"

Interruption = Callable[[str, web.Request], web.StreamResponse | None]


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may ask."""

    name: str
    password: str = field(repr=False)
    admin: bool = False
    repositories: frozenset[str] = frozenset()
    """GUNs that may be read."""

    def may(self, scope: str) -> bool:
        """Whether a scope is granted."""
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        return self.admin or (kind == "repository" and name in self.repositories and actions == "pull")


@dataclass(frozen=True, slots=True)
class _Grant:
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(slots=True)
class _Replica:
    error: str = ""
    reported_at: datetime | None = None
    """When it last reported, once it has stopped doing so."""
    readonly: bool = False
    requests: int = 0


class Imitation:
    """A cluster. `replicas` are replica ids; `host` is the first part of its GUNs."""

    def __init__(
        self,
        host: str,
        replicas: Sequence[str],
        *,
        users: Sequence[User],
        back_end: BackEnd,
        clock: Clock,
        random: Random,
        token_seconds: int = 300,
    ) -> None:
        self.host = host
        self.feed = Feed(back_end, clock, random)
        self.interrupt: Interruption | None = None
        """A fault: of a replica's id and a request makes the answer, or None to let the request pass."""
        self.token_seconds = token_seconds
        """For how long tokens issued from now on are valid."""
        self._clock = clock
        self._random = random
        self._users = {user.name: user for user in users}
        self._replicas = {replica: _Replica() for replica in replicas}
        self._issues: dict[str, dict[str, object]] = {}
        self._grants: dict[str, _Grant] = {}

    def app(self, replica: str) -> web.Application:
        """What answers at one replica's own URL."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return self._answer(replica, request)

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        return app

    def gun(self, repository: str) -> str:
        """The name that `namespace/name` is signed under."""
        return f"{self.host}/{repository}"

    def sign(self, repository: str, tags: Mapping[str, str] | None = None) -> str:
        """Publish trust data of `namespace/name`; returns the record's id. See Feed.sign."""
        return self.feed.sign(self.gun(repository), tags)

    def delete(self, repository: str) -> str | None:
        """Delete trust data of `namespace/name`; returns the record's id, None if there was none."""
        return self.feed.delete(self.gun(repository))

    def raise_issue(
        self, kind: str, description: str, *, critical: bool, info: Mapping[str, object] | None = None
    ) -> str:
        """A row appears in RethinkDB's table of issues; returns its id."""
        issue = str(UUID(int=self._random.getrandbits(128), version=4))
        self._issues[issue] = {
            "id": issue,
            "type": kind,
            "critical": critical,
            "description": description,
            "info": dict(info or {}),
        }
        return issue

    def clear_issue(self, issue: str) -> None:
        """The row is gone."""
        del self._issues[issue]

    def fail_replica(self, replica: str, error: str) -> None:
        """A replica is unhealthy and reports no longer. Without a quorum the whole cluster is down."""
        state = self._replicas[replica]
        state.error, state.reported_at = error, self._clock.now()

    def set_readonly(self, replica: str, readonly: bool) -> None:
        """A replica takes writes no longer, or again."""
        self._replicas[replica].readonly = readonly

    def recover(self, replica: str) -> None:
        """A replica is healthy again."""
        state = self._replicas[replica]
        state.error, state.reported_at = "", None

    def revoke_tokens(self) -> None:
        """No token issued so far is valid any longer, whatever its expiry says."""
        self._grants.clear()

    def _answer(self, replica: str, request: web.Request) -> web.StreamResponse:
        self._replicas[replica].requests += 1
        if self.interrupt and (fault := self.interrupt(replica, request)):
            return fault
        if not self._has_quorum():
            return web.Response(status=500, text="Internal Server Error")
        match request.path:
            case "/_ping" | "/health":
                return self._ping(replica)
            case "/nginx_status":
                return self._nginx_status(replica)
            case "/api/v0/meta/cluster_status":
                return self._cluster_status(request)
            case "/auth/token":
                return self._token(request)
            case path if path.startswith("/v2/") and path.endswith("/_trust/changefeed"):
                return self._changefeed(request, path.removeprefix("/v2/").removesuffix("_trust/changefeed"))
            case path if path.startswith("/v2/") and "/_trust/tuf/" in path:
                return self._trust_file(request, *path.removeprefix("/v2/").rsplit("/_trust/tuf/", 1))
        return _error(404, "NOT_FOUND", "no such page")

    def _has_quorum(self) -> bool:
        healthy = sum(not replica.error for replica in self._replicas.values())
        return healthy >= len(self._replicas) // 2 + 1

    def _ping(self, replica: str) -> web.Response:
        error = self._replicas[replica].error
        return _json(503 if error else 200, {"Error": error, "Healthy": not error})

    def _nginx_status(self, replica: str) -> web.Response:
        count = self._replicas[replica].requests
        text = (
            f"Active connections: 1 \nserver accepts handled requests\n {count} {count} {count} \n"
            "Reading: 0 Writing: 1 Waiting: 0 \n"
        )
        return web.Response(text=text)

    def _cluster_status(self, request: web.Request) -> web.Response:
        user = self._user(request)
        if user is None:
            return _error(401, "NOT_AUTHENTICATED", "The client is not authenticated.")
        if not user.admin:
            return _error(403, "NOT_AUTHORIZED", "The client is not authorized.")
        replicas, now = self._replicas.items(), self._clock.now()
        return _json(
            200,
            {
                "rethink_system_tables": {"current_issues": list(self._issues.values())},
                "replica_health": {name: replica.error or "OK" for name, replica in replicas},
                "replica_timestamp": {
                    name: go_time(replica.reported_at or now) for name, replica in replicas
                },
                "replica_readonly": {name: replica.readonly for name, replica in replicas},
                "gc_lock_holder": "",
            },
        )

    def _token(self, request: web.Request) -> web.Response:
        user = self._user(request)
        if user is None:
            return _error(401, "UNAUTHORIZED", "authentication required")
        now = self._clock.now()
        # Whoever is known gets one, even without access: the refusal comes only from the changefeed.
        granted = frozenset(scope for scope in request.query.getall("scope", []) if user.may(scope))
        token = f"{self._random.getrandbits(256):064x}"
        self._forget_expired(now)
        self._grants[token] = _Grant(granted, now + timedelta(seconds=self.token_seconds))
        document = {
            "token": token,
            "access_token": token,
            "expires_in": self.token_seconds,
            "issued_at": go_time(now),
        }
        return _json(200, document)

    def _forget_expired(self, now: datetime) -> None:
        self._grants = {token: one for token, one in self._grants.items() if one.expires_at + _LEEWAY > now}

    def _changefeed(self, request: web.Request, prefix: str) -> web.Response:
        gun = prefix.removesuffix("/") or None
        scope = f"repository:{gun}:pull" if gun else _CATALOG
        if (refusal := self._refusal(request, scope)) is not None:
            return refusal
        try:
            records = go_int(request.query.get("records", "")) or _DEFAULT_RECORDS
        except ValueError as error:
            return _invalid(f"invalid records parameter: {error}")
        try:
            entries = self.feed.select(request.query.get("change_id", ""), records, gun)
        except BadQueryError:
            return _invalid({})
        except BackEndError as error:
            return _error(500, "UNKNOWN", "unknown error", str(error))
        document = {"count": len(entries), "records": [entry.document() for entry in entries]}
        # Notary sets no content type, and Go guesses this one.
        return web.Response(text=json.dumps(document), content_type="text/plain", charset="utf-8")

    def _trust_file(self, request: web.Request, gun: str, name: str) -> web.Response:
        if (refusal := self._refusal(request, f"repository:{gun}:pull")) is not None:
            return refusal
        found = self.feed.trust_file(gun, name.removesuffix(".json"))
        if found is None:
            return _error(404, "METADATA_NOT_FOUND", "You have requested metadata that does not exist.")
        return web.Response(body=found, content_type="application/json")

    def _refusal(self, request: web.Request, scope: str) -> web.Response | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        grant = self._grants.get(token)
        if kind.lower() != "bearer":
            reason = ""
        elif grant is None or grant.expires_at + _LEEWAY <= self._clock.now():
            reason = ',error="invalid_token"'
        elif scope not in grant.scopes:
            reason = ',error="insufficient_scope"'
        else:
            return None
        realm = f"{request.url.origin()}/auth/token"
        challenge = f'Bearer realm="{realm}",service="{_SERVICE}",scope="{scope}"{reason}'
        kind, _, rest = scope.partition(":")
        name, _, action = rest.rpartition(":")
        wanted = [{"Type": kind, "Class": "", "Name": name, "Action": action}]
        answer = _error(401, "UNAUTHORIZED", "authentication required", wanted)
        answer.headers["WWW-Authenticate"] = challenge
        return answer

    def _user(self, request: web.Request) -> User | None:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        try:
            name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        user = self._users.get(name)
        return user if kind.lower() == "basic" and user and user.password == password else None


def _invalid(detail: object) -> web.Response:
    return _error(400, "INVALID_PARAMETERS", "The parameters provided are not valid.", detail)


def _error(status: int, code: str, message: str, detail: object = None) -> web.Response:
    error = {"code": code, "message": message} | ({} if detail is None else {"detail": detail})
    return _json(status, {"errors": [error]})


def _json(status: int, document: Mapping[str, object]) -> web.Response:
    text = json.dumps(document)
    return web.Response(status=status, text=text, content_type="application/json", charset="utf-8")
