"""Slack: Block Kit through an incoming webhook, or by a bot that also updates and answers its messages."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from relay.channels.base import RateField
from relay.channels.block_kit import TEXT, cut_mrkdwn, doubts, fit
from relay.channels.classify import retry_after
from relay.channels.errors import BadBody, Refused, Rejected, SendError
from relay.channels.over_http import HttpChannel, http_url, read_json
from relay.channels.slack_errors import LostThreadError, by_code, known
from relay.channels.targets import Result, conclude
from relay.http import Answer, Http
from relay.model.delivery import Message, Sent
from relay.model.text import storable_tree

# chat.postMessage sends the whole message back.
_ANSWER_BYTES: Final = 262_144
_CODE_CHARACTERS: Final = 60
_ID_CHARACTERS: Final = 100
_TYPE: Final = "application/json; charset=utf-8"


class _Root(NamedTuple):
    channel: str
    ts: str


class _Posted(NamedTuple):
    answer: Answer
    said: str
    fields: Mapping[str, Any]


class Slack(HttpChannel):
    """Messages in a Slack channel: by `webhook_url`, or by `token` and `channel`.

    With a token, what follows on a message (a repeat, the resolve) answers in its thread, and a resolve also
    updates it; a group's first message stays as it is. An incoming webhook can do neither.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("json",)
    ACKNOWLEDGES: ClassVar[bool] = True

    kind: Literal["slack"]
    """`slack`"""
    webhook_url: SecretStr | None = None
    """URL of an incoming webhook. Instead of `token` and `channel`."""
    token: SecretStr | None = Field(default=None, min_length=1)
    """A bot's token, `xoxb-…`, with the scope `chat:write`. Instead of `webhook_url`."""
    channel: str | None = Field(default=None, min_length=1, max_length=200)
    """The channel's id (`C…`) or name, for `token`. The bot has to be a member."""
    api_url: str = "https://slack.com/api/"
    """Base URL of the Web API; GovSlack has another one."""
    rate: RateField | None = Field(default="1/s", validate_default=True)
    """How many messages may go out in a time. Slack allows one per second and channel."""

    @field_validator("webhook_url")
    @classmethod
    def _is_http(cls, url: SecretStr | None) -> SecretStr | None:
        return None if url is None else http_url(url)

    @field_validator("api_url")
    @classmethod
    def _is_base(cls, url: str) -> str:
        return http_url(SecretStr(url)).get_secret_value().rstrip("/") + "/"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.webhook_url is None) == (self.token is None):
            raise ValueError("set either `webhook_url`, or `token` and `channel`")
        if (self.channel is None) != (self.token is None):
            raise ValueError("`token` and `channel` belong together: set both, or `webhook_url` alone")
        return self

    def compose(self, message: Message) -> str:
        """The part `json` within Slack's limits. BadBody if it is no Slack message."""
        document = storable_tree(read_json(message.parts["json"]))
        if not isinstance(document, dict):
            raise BadBody("the template makes no JSON object, which a Slack message is")
        try:
            return json.dumps(fit(document), ensure_ascii=False)
        except ValueError as error:
            raise BadBody(f"the template makes no Slack message: {error}") from None

    async def send(self, message: Message, body: str, http: Http) -> Sent:
        """Post the message, and for a resolve update the first one (targets `update` and `reply`)."""
        if self.webhook_url is not None:
            return await self._hook(self.webhook_url.get_secret_value(), message, body, http)
        root = _root(message)
        document = json.loads(body)
        if root is None:
            return _sent(await self._post(message, document, http, self._seconds))
        if message.status == "resolved" and message.whole:
            return await self._resolve(message, document, http, root)
        return _sent(await self._reply(message, document, http, root, self._seconds), root)

    def headers_shown(self, message: Message) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """The type of the body; where it goes to is a secret."""
        return (("content-type", _TYPE),)

    def doubts(self, message: Message, body: str) -> tuple[str, ...]:  # noqa: ARG002
        """What of the message is beyond Slack's limits."""
        document = read_json(message.parts["json"])
        return tuple(doubts(document)) if isinstance(document, dict) else ()

    def plain(self, title: str, text: str, payload: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002
        """Title and text, escaped, as one text without blocks."""
        whole = f"{title}\n{text}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"json": json.dumps({"text": cut_mrkdwn(whole, TEXT), "mrkdwn": False})}

    @property
    def _seconds(self) -> float:
        return self.timeout.total_seconds()

    async def _hook(self, url: str, message: Message, body: str, http: Http) -> Sent:
        answer = await self._request(http, url, {}, body, self._seconds)
        code = answer.text().strip()[:_CODE_CHARACTERS]
        if known(code):
            raise by_code(code, answer.status, code, retry_after(answer.headers, message.at))
        said = self.judge(answer, message)
        if code != "ok":
            raise Refused(
                f"status {answer.status}, but not Slack's answer: correct `webhook_url`",
                status=answer.status,
                answer=said,
            )
        return Sent(status=answer.status, answer=said)

    async def _resolve(self, message: Message, document: dict[str, Any], http: Http, root: _Root) -> Sent:
        # The update first: done twice it does no harm, while a second answer would be a second message.
        results: list[Result] = []
        left = self._seconds
        receipt: Mapping[str, Any] | None = root._asdict()
        for target, act in (("update", self._update), ("reply", self._reply)):
            if target in message.settled:
                continue
            try:
                posted = await act(message, document, http, root, left)
            except SendError as error:
                results.append(Result(target, error))
                if not isinstance(error, Rejected):
                    break
            else:
                left -= posted.answer.seconds
                results.append(Result(target, None, posted.answer.status, posted.said))
        return conclude(results, receipt)

    async def _update(
        self, message: Message, document: dict[str, Any], http: Http, root: _Root, left: float
    ) -> _Posted:
        whole = {**document, "channel": root.channel, "ts": root.ts}
        return await self._call("chat.update", message, whole, http, left)

    async def _reply(
        self, message: Message, document: dict[str, Any], http: Http, root: _Root, left: float
    ) -> _Posted:
        whole = {**document, "channel": root.channel, "thread_ts": root.ts}
        try:
            return await self._call("chat.postMessage", message, whole, http, left)
        except LostThreadError:
            return await self._post(message, document, http, left)

    async def _post(self, message: Message, document: dict[str, Any], http: Http, left: float) -> _Posted:
        whole = {**document, "channel": self.channel}
        return await self._call("chat.postMessage", message, whole, http, left)

    async def _call(
        self, method: str, message: Message, document: Mapping[str, Any], http: Http, left: float
    ) -> _Posted:
        token = self.token.get_secret_value() if self.token else ""
        body = json.dumps(document, ensure_ascii=False)
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self._request(http, self.api_url + method, headers, body, left)
        fields = _fields(answer)
        code = str(fields.get("error", ""))[:_CODE_CHARACTERS]
        said = self.shown(_summary(answer, fields))
        if fields.get("ok") is False and (known(code) or 200 <= answer.status < 300):
            raise by_code(self.shown(code), answer.status, said, retry_after(answer.headers, message.at))
        self.judge(answer, message)
        if fields.get("ok") is not True:
            raise Refused(
                f"status {answer.status}, but not Slack's answer: correct `api_url`",
                status=answer.status,
                answer=said,
            )
        return _Posted(answer, said, fields)

    async def _request(
        self, http: Http, url: str, headers: Mapping[str, str], body: str, timeout: float
    ) -> Answer:
        return await self.request(
            http,
            "POST",
            url,
            headers={"Content-Type": _TYPE, **headers},
            body=body.encode(),
            timeout=max(timeout, 0.001),
            max_bytes=_ANSWER_BYTES,
        )


def _fields(answer: Answer) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _summary(answer: Answer, fields: Mapping[str, Any]) -> str:
    # The answer holds the message again; what is worth keeping is the rest.
    if "ok" not in fields:
        return answer.text()
    return json.dumps({k: v for k, v in fields.items() if k != "message"}, ensure_ascii=False)


def _root(message: Message) -> _Root | None:
    return _place(message.previous) if message.follows and message.previous else None


def _place(fields: Mapping[str, Any]) -> _Root | None:
    channel, ts = fields.get("channel"), fields.get("ts")
    if isinstance(channel, str) and isinstance(ts, str) and channel and ts:
        return _Root(channel[:_ID_CHARACTERS], ts[:_ID_CHARACTERS])
    return None


def _sent(posted: _Posted, root: _Root | None = None) -> Sent:
    """`root` stays the receipt of everything in its thread."""
    place = root or _place(posted.fields)
    return Sent(posted.answer.status, posted.said, receipt=place._asdict() if place else None)
