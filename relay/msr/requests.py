"""One GET to one URL of a cluster, and what its answer means before anybody looks into it."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode, urljoin

from pydantic import SecretStr

from relay.http import Answer, Http, HttpError, Reason, Route, origin, redact, retry_after
from relay.model.clock import Clock
from relay.msr.errors import BadAnswer, MsrError, Throttled, TooLong, Unreachable, Unwell
from relay.msr.text import one_line

T = TypeVar("T")

_SAID_LENGTH = 200
_INSUFFICIENT = re.compile(r'error="?insufficient_scope')
_RIGHTS_CODES = {"NOT_AUTHORIZED", "FORBIDDEN", "DENIED"}
_ERRORS: Mapping[Reason, type[MsrError]] = {Reason.INVALID: BadAnswer, Reason.TOO_LARGE: TooLong}
_CHECK_URL = "check that this is MSR's own URL, without a path (`msr-relay check --live` tells what answers)"


def basic(username: str, password: SecretStr) -> str:
    """The value of an Authorization header with user and password."""
    pair = f"{username}:{password.get_secret_value()}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and the origin that it came from."""

    where: str
    url: str
    answer: Answer
    secrets: Sequence[SecretStr | str]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status

    def document(self, parse: Callable[[object], T]) -> T:
        """What `parse` makes of the JSON in an answer of status 200, whatever its type; else BadAnswer."""
        return self._parsed(lambda: parse(self.answer.json()))

    def page(self, parse: Callable[[str], T]) -> T:
        """The same with the text of the answer."""
        return self._parsed(lambda: parse(self.answer.text()))

    def _parsed(self, parse: Callable[[], T]) -> T:
        problem = None
        if self.status == 200:
            try:
                return parse()
            except ValueError as error:
                problem = error
        raise self.bad(problem)

    def bad(self, problem: ValueError | None = None) -> BadAnswer:
        """The error of an answer that MSR has no reason to give: its status, or a problem with its body."""
        if self.status == 200:
            text = f"not an answer of MSR ({one_line(str(problem), _SAID_LENGTH)}): {_CHECK_URL}"
        elif 300 <= self.status < 400:
            target = origin(urljoin(self.url, self.answer.headers.get("Location", "")))
            text = f"it redirects to {target}, which is not followed: give the URL that answers by itself"
        elif self.status == 404:
            text = f"it has no such page: {_CHECK_URL}"
        else:
            text = f"unexpected status {self.status}{self.said()}: {_CHECK_URL}"
        return BadAnswer(f"{self.where}: {text}")

    def codes(self) -> list[str]:
        """The codes in an error document, if it is one."""
        return [code for error in self._errors() if isinstance(code := error.get("code"), str)]

    def said(self) -> str:
        """Code and message of an error document in parentheses, cut; empty without one. Never its detail."""
        texts = [f"{error.get('code', '')} {error.get('message', '')}" for error in self._errors()]
        text = redact(one_line("; ".join(texts), _SAID_LENGTH), self.secrets)
        return f" ({text})" if text else ""

    def lacks_rights(self) -> bool:
        """The user is known, but this is not for him."""
        return self.status == 403 or (self.status == 401 and not _RIGHTS_CODES.isdisjoint(self.codes()))

    def is_insufficient(self) -> bool:
        """The token is good, but does not hold the right that this needs."""
        challenge = self.answer.headers.get("WWW-Authenticate", "")
        return self.status == 403 or _INSUFFICIENT.search(challenge) is not None

    def _errors(self) -> list[Mapping[str, object]]:
        try:
            document = self.answer.json()
        except ValueError:
            return []
        errors = document.get("errors") if isinstance(document, dict) else None
        return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


_KEEP = 0.5
"""Seconds for which a connection waits for the next question. Watchers ask at the same moments, and then not
for many seconds: the idle connections of hundreds of clusters would hold some hundred MiB."""


class Requests:
    """Makes the GET requests of one cluster."""

    def __init__(
        self, http: Http, route: Route, clock: Clock, timeout: float, max_bytes: int, password: SecretStr
    ) -> None:
        self._http = http
        self._route = route
        self._clock = clock
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._password = password

    async def ask(
        self,
        url: str,
        path: str,
        query: Mapping[str, str] | None = None,
        authorization: str | None = None,
        max_bytes: int | None = None,
    ) -> Reply:
        """The reply, of any status. Raises Unreachable, TooLong, or BadAnswer if it is not HTTP.

        `max_bytes` bounds the answer in place of the client's own limit.
        """
        full = url.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        try:
            answer = await self._http.send(
                "GET",
                full,
                route=self._route,
                headers={"Authorization": authorization} if authorization else None,
                timeout=self._timeout,
                max_bytes=self._max_bytes if max_bytes is None else max_bytes,
                whole=True,
                pool="msr",
                keep=_KEEP,
            )
        except HttpError as error:
            failure = _ERRORS.get(error.reason, Unreachable)(str(error))
        else:
            return Reply(origin(full), full, answer, (self._password, authorization or ""))
        raise failure

    async def get(
        self,
        url: str,
        path: str,
        query: Mapping[str, str] | None = None,
        authorization: str | None = None,
        max_bytes: int | None = None,
    ) -> Reply:
        """The same, and also raises Throttled on a 429 and Unwell on a 5xx."""
        reply = await self.ask(url, path, query, authorization, max_bytes)
        if reply.status == 429:
            text = "MSR asks for fewer requests (status 429): lengthen the intervals under `watch`"
            raise Throttled(f"{reply.where}: {text}", retry_after(reply.answer.headers, self._clock.now()))
        if reply.status >= 500:
            raise unwell(reply)
        return reply


def unwell(reply: Reply) -> Unwell:
    """The error of a 5xx."""
    status = f"status {reply.status}{reply.said()}"
    internal = reply.status not in {502, 503, 504}
    if not internal:
        text = f"a part of MSR behind its nginx is down ({status}): check the replica's containers"
    else:
        text = f"MSR answers an internal server error ({status}): check the quorum and the containers' logs"
    return Unwell(f"{reply.where}: {text}", internal=internal)
