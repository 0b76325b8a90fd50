"""The client of one MSR cluster (MSR 2.x and 3.x, DTR from 2.4 on)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from urllib.parse import quote

from pydantic import SecretStr

from relay.http import Http, Route, origin
from relay.model.clock import Clock
from relay.msr import parse
from relay.msr.answers import ClusterStatus, NginxStatus, Page, Ping, Record, Replica, Unreadable
from relay.msr.cluster import cluster_status
from relay.msr.errors import (
    BadAnswer,
    CursorRefused,
    MsrError,
    NoAccess,
    NotMsr,
    TokenRefused,
    TooLong,
    Unreachable,
    Unwell,
)
from relay.msr.gun import split
from relay.msr.lockout import Lockout, RefusedError
from relay.msr.recognise import recognise
from relay.msr.requests import Reply, Requests, basic, unwell
from relay.msr.text import one_line
from relay.msr.tokens import Token, Tokens, parse_token
from relay.msr.turns import Turns
from relay.trust import file_name

T = TypeVar("T")

_PING_PATHS = ("/_ping", "/health")
_GLOBAL_SCOPE = "registry:catalog:*"
_NOT_FOUND = "METADATA_NOT_FOUND"
"""What notary says of a file that it does not have (its server/errors)."""
_ERROR_BYTES = 65536


class Msr:
    """Asks one cluster. All methods raise MsrError, and nothing else, when they get no proper answer.

    Redirects are not followed. Answers are bounded by `timeout` (seconds) and `max_bytes`.
    """

    def __init__(
        self,
        name: str,
        replicas: Sequence[Replica],
        entry: str,
        *,
        registry_host: str,
        username: str,
        password: SecretStr,
        http: Http,
        route: Route,
        clock: Clock,
        timeout: float = 10.0,
        max_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self.name = name
        self.replicas = tuple(replicas)
        self.registry_host = registry_host
        self._username = username
        self._password = password
        self._requests = Requests(http, route, clock, timeout, max_bytes, password)
        self._turns = Turns(clock)
        self._lockout = Lockout(clock)
        self._tokens = Tokens(self._fetch_token, clock)
        self._ways = list(dict.fromkeys([entry, *(replica.url for replica in replicas)]))
        self._ping_path: dict[Replica, str] = {}
        self._nginx_closed: set[Replica] = set()

    async def ping(self, replica: Replica) -> Ping:
        """What a replica says about itself, also when that is bad. Needs no user.

        Asks `/_ping`, and where that does not exist `/health`, as older versions have it.
        """
        known = self._ping_path.get(replica, _PING_PATHS[0])
        for path in sorted(_PING_PATHS, key=lambda path: path != known):
            async with self._turns.take(replica.url):
                reply = await self._requests.ask(replica.url, path)
            if reply.status != 404:
                self._ping_path[replica] = path
                return _ping(reply)
        raise reply.bad()

    async def recognise(self, replica: Replica) -> None:
        """Return if an MSR answers there; raise NotMsr, which says what does, if something else answers."""
        try:
            await self.ping(replica)
        except BadAnswer:
            raise NotMsr(f"{origin(replica.url)}: {await recognise(self._requests, replica.url)}") from None

    async def nginx_status(self, replica: Replica) -> NginxStatus:
        """The counters of a replica's nginx; with user and password where it wants them."""
        path = "/nginx_status"
        if replica not in self._nginx_closed:
            async with self._turns.take(replica.url):
                reply = await self._requests.get(replica.url, path)
            if reply.status not in {401, 403}:
                return reply.page(parse.nginx_status)
        reply = await self._with_password(lambda password: self._get(replica, path, password))
        if reply.lacks_rights():
            raise self._needs_administrator("the status of nginx", "nginx_status")
        self._nginx_closed.add(replica)
        return reply.page(parse.nginx_status)

    async def cluster_status(self, replica: Replica) -> ClusterStatus:
        """The cluster as a replica sees it. Needs an administrator."""
        path = "/api/v0/meta/cluster_status"
        reply = await self._with_password(lambda password: self._get(replica, path, password))
        if reply.lacks_rights():
            raise self._needs_administrator("the cluster status", "cluster_status")
        return reply.document(cluster_status)

    async def _get(self, replica: Replica, path: str, authorization: str) -> Reply:
        async with self._turns.take(replica.url):
            return await self._requests.get(replica.url, path, authorization=authorization)

    async def changefeed(self, change_id: str, records: int, repository: str | None = None) -> Page:
        """Records after `change_id` (before it, if `records` is negative), oldest first.

        `repository` is `namespace/name`; None: the feed of all, which needs an administrator. `change_id` is
        the id of a record, `0` for the beginning, or `-1` for the end. An unknown one gives no records on an
        SQL back end and Unwell on RethinkDB; one that the back end cannot read raises CursorRefused.
        """
        if repository is None:
            path, scope = "/v2/_trust/changefeed", _GLOBAL_SCOPE
        else:
            gun = f"{self.registry_host}/{repository}"
            path, scope = f"/v2/{quote(gun, safe='/:')}/_trust/changefeed", f"repository:{gun}:pull"
        query = {"change_id": change_id, "records": str(records)}
        reply = await self._with_token(scope, path, query)
        if reply.status == 401 or reply.is_insufficient():
            raise self._refused_token(reply, repository)
        if reply.status == 400 and "INVALID_PARAMETERS" in reply.codes():
            raise CursorRefused(
                f"{reply.where}: the changefeed cannot read the change id it is asked to go on from"
                f"{reply.said()}: its database was probably exchanged; set `start` of the changefeed anew"
            )
        return reply.document(parse.page)

    async def trust_file(
        self, gun: str, role: str, *, sha256: str | None = None, version: int | None = None, most: int
    ) -> bytes | None:
        """The metadata file of a role that has this SHA-256 (hex) or version, None if notary has none.

        `gun` is as in the record, with or without a host. One of the two must be given: asked for the newest
        timestamp or snapshot, notary may sign anew, and write a record; asked so it never does (its
        server/handlers/roles.go). Raises TooLong for more than `most` bytes, and ValueError for what could
        be another page than that: a role, hash or version that is none.
        """
        return await self._trust(gun, file_name(role, sha256, version), most)

    async def newest_root(self, gun: str, most: int) -> bytes | None:
        """The newest root of a repository, None if there is none. Reading it never makes notary sign."""
        return await self._trust(gun, "root", most)

    async def _trust(self, gun: str, name: str, most: int) -> bytes | None:
        path = f"/v2/{quote(gun, safe='/:')}/_trust/tuf/{quote(name, safe='/')}.json"
        # An error document may be longer than the file that is asked for.
        reply = await self._with_token(f"repository:{gun}:pull", path, {}, max(most, _ERROR_BYTES))
        if reply.status == 404 and _NOT_FOUND in reply.codes():
            return None
        if reply.status == 401 or reply.is_insufficient():
            raise self._refused_token(reply, split(gun, self.registry_host).repository, "trust data")
        if reply.status != 200:
            # Also a 404 that is not notary's: it says nothing about what notary has.
            raise reply.bad()
        if len(reply.answer.body) > most:
            raise TooLong(f"{reply.where}: {one_line(name, 255)} is longer than {most} bytes")
        return reply.answer.body

    async def newest(self, repository: str | None = None) -> Record | Unreadable | None:
        """The most recent record, None if the feed is empty.

        The ways to ask for it differ between versions: two are tried, and the feed is called empty only if
        it does not show its first record either.
        """
        for change_id, records in (("0", -1), ("-1", 1)):
            page = await self.changefeed(change_id, records, repository)
            if page.records:
                return page.records[-1]
        if (await self.changefeed("0", 1, repository)).records:
            raise BadAnswer(
                f"clusters[{self.name}]: the changefeed holds records but does not show its newest one: "
                "set `start` of the changefeed to `beginning` or to the id of a record"
            )
        return None

    async def _with_token(
        self, scope: str, path: str, query: dict[str, str], most: int | None = None
    ) -> Reply:
        reply = await self._bearing(scope, path, query, most)
        if reply.status == 401 and not reply.is_insufficient():
            # It may have expired early, or the replicas have got new keys.
            reply = await self._bearing(scope, path, query, most)
        return reply

    async def _bearing(self, scope: str, path: str, query: dict[str, str], most: int | None) -> Reply:
        token = await self._tokens.get(scope)
        reply = await self._anywhere(
            lambda url: self._requests.get(url, path, query, f"Bearer {token}", max_bytes=most)
        )
        if reply.status in {401, 403}:
            self._tokens.drop(scope, token)
        return reply

    async def _fetch_token(self, scope: str) -> Token:
        query = {"realm": "dtr", "service": "dtr", "scope": scope}
        reply = await self._with_password(
            lambda password: self._anywhere(
                lambda url: self._requests.get(url, "/auth/token", query, authorization=password)
            )
        )
        if reply.lacks_rights():
            raise NoAccess(
                f"{reply.where}: MSR gives user {self._username} no token{reply.said()}: "
                "check that the account is active"
            )
        return reply.document(parse_token)

    async def _with_password(self, request: Callable[[str], Awaitable[Reply]]) -> Reply:
        if not self._username:
            raise NoAccess(
                f"clusters[{self.name}] has no user, and MSR wants one: set username and password, "
                "or turn off what needs them under `watch`"
            )

        async def once() -> Reply:
            reply = await request(basic(self._username, self._password))
            if reply.status == 401 and not reply.lacks_rights():
                raise RefusedError(
                    f"{reply.where}: MSR refused user {self._username} or its password: "
                    f"correct clusters[{self.name}].username and .password"
                )
            return reply

        return await self._lockout.attempt(once)

    async def _anywhere(self, request: Callable[[str], Awaitable[T]]) -> T:
        """Ask the first URL that can answer; the one that did comes first the next time."""
        failure: MsrError | None = None
        for url in tuple(self._ways):
            try:
                result = await request(url)
            except (Unreachable, Unwell) as error:
                failure = failure or error
                continue
            self._ways.remove(url)
            self._ways.insert(0, url)
            return result
        assert failure is not None, "a cluster has at least one URL"
        raise failure

    def _needs_administrator(self, what: str, watcher: str) -> NoAccess:
        return NoAccess(
            f"user {self._username} may not read {what}: that needs an administrator; "
            f"use one, or set clusters[{self.name}].watch.{watcher} to off"
        )

    def _refused_token(self, reply: Reply, repository: str | None, what: str = "changefeed") -> MsrError:
        if not reply.is_insufficient():
            return TokenRefused(
                f"{reply.where}: MSR refuses the token that it has just issued{reply.said()}: "
                "check that the clocks of its replicas agree and that all URLs are of one cluster"
            )
        if repository is None:
            return NoAccess(
                f"user {self._username} may not read the changefeed of all repositories: that needs an "
                f"administrator; list repositories under clusters[{self.name}].repositories instead"
            )
        return NoAccess(
            f"user {self._username} may not read the {what} of {repository}: give it read access there, "
            f"or take the repository out of clusters[{self.name}].repositories"
        )


def _ping(reply: Reply) -> Ping:
    # An unhealthy replica answers 503 with the same document.
    try:
        healthy, error = parse.ping(reply.answer.json())
    except ValueError as problem:
        failure: MsrError = unwell(reply) if reply.status >= 500 else reply.bad(problem)
    else:
        return Ping(healthy and reply.status == 200, error, reply.answer.seconds)
    raise failure
