"""Sending one delivery: render, compose, send, and say how it ended. Nothing here writes to the store."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from relay.channels import Channel, SendError
from relay.channels.errors import BadBody
from relay.engine.instead import fitting
from relay.engine.review import Sizes
from relay.engine.rules import Rule
from relay.engine.verdict import Result, overall
from relay.http import Http
from relay.model.catalogue import stands_for
from relay.model.clock import Clock
from relay.model.delivery import Delivery, Message, Outcome, Sent, TargetOutcome
from relay.model.event import Event, Status
from relay.model.silence import Acknowledgement
from relay.model.steps import Reach, Step, pass_by
from relay.model.text import without_links
from relay.render import Renderer, RuleAbout, Telling, TemplateError, nothing, payload, plain_text
from relay.store import Claim

_log = structlog.get_logger("relay.sending")

_AROUND = 1000
"""Bytes of a group's message besides its items."""


@dataclass(frozen=True, slots=True)
class Try:
    """What one attempt did: its result, when it began, how long it took (seconds), and the body sent.

    ``broken`` is the error of the template in whose place the plain form was sent.
    """

    result: Result
    at: datetime
    seconds: float
    body: str = ""
    broken: TemplateError | None = None


@dataclass(slots=True)
class Sender:
    """Sends deliveries to one channel.

    ``rules`` returns the rules by name as they are by then. ``acknowledged`` returns who takes care of an
    alert or event, by its thread; ``acknowledge_url`` a link by which somebody can, None for none.
    ``traceparent`` returns what a delivery's next attempt tells the receiver of its trace, None for nothing.
    """

    channel: Channel
    renderer: Renderer
    http: Http
    clock: Clock
    reach: Reach = field(default=pass_by)
    rules: Callable[[], Mapping[str, Rule]] = field(default=dict)
    acknowledged: Callable[[str], Acknowledgement | None] = field(default=nothing)
    acknowledge_url: Callable[[str], str | None] = field(default=nothing)
    traceparent: Callable[[Delivery], str | None] = field(default=nothing)
    _words: tuple[Mapping[str, Rule] | None, int] = field(default=(None, 0), init=False, repr=False)

    @property
    def sizes(self) -> Sizes:
        """How much of a group fits into one message of the channel."""
        most = self.channel.group_bytes
        if most is None:
            return Sizes()
        return Sizes(max(1, most - _AROUND), lambda event: self._size(event) + self._longest_words())

    def _longest_words(self) -> int:
        """Return how many bytes the words of a rule have: which one's an event will get is not known here."""
        rules = self.rules()
        if self._words[0] is not rules:
            self._words = (rules, max(map(_words, rules.values()), default=0))
        return self._words[1]

    def _size(self, event: Event) -> int:
        telling = Telling((event,), "", self.channel.name, "")
        return len(json.dumps(payload(telling, self.renderer.public_url)).encode())

    def _fitting(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Return events that fit into a message: of what stands for many, as much is listed as there is room.

        It cannot be told in parts, and a message that is too large would not be taken at all.
        """
        sizes = self.sizes
        lists = [event for event in events if stands_for(event.type)]
        if sizes.most is None or not lists or sum(map(sizes.size, events)) <= sizes.most:
            return events
        bare = [fitting(event, 0) if stands_for(event.type) else event for event in events]
        room = max(0, sizes.most - sum(map(sizes.size, bare))) // len(lists)
        return tuple(fitting(event, room) if stands_for(event.type) else event for event in events)

    async def attempt(self, claim: Claim) -> Try:
        """Send a delivery once. Never raises but for cancellation: a bug must not lose an alert."""
        at = self.clock.now()
        try:
            return await self._attempt(claim, at)
        except SendError as error:
            return Try(replace(_failed(error, self.channel), local=True), at, 0.0)
        except Exception as error:
            return Try(replace(self._unexpected(error), local=True), at, 0.0)

    async def _attempt(self, claim: Claim, at: datetime) -> Try:
        """Compose and send; what this raises, the message has not reached the receiver."""
        began = self.clock.monotonic()
        telling = self._telling(claim, at)
        message, body, broken = self._compose(claim, telling, at)
        self.reach(Step.RENDERED)
        result = await self._send(message, body)
        if isinstance(result, BadBody) and broken is None:
            broken = TemplateError(self._template(claim), None, self.channel.shown(result.message))
            message, body = self._plain(claim, telling, at, broken)
            result = await self._send(message, body)
        if isinstance(result, BadBody):
            result = _failed(result, self.channel)
        self.reach(Step.SENT)
        return Try(result, at, self.clock.monotonic() - began, without_links(body), broken)

    async def _send(self, message: Message, body: str) -> Result | BadBody:
        """Hand a message to the channel; a body that it cannot take may be sent in another form."""
        try:
            async with asyncio.timeout(self.channel.timeout.total_seconds()):
                return _said(await self.channel.send(message, body, self.http), self.channel)
        except BadBody as error:
            return error
        except SendError as error:
            return _failed(error, self.channel)
        except TimeoutError:
            seconds = self.channel.timeout.total_seconds()
            return Result(Outcome.RETRY, error=f"no answer within {seconds:g} seconds")
        except Exception as error:
            return self._unexpected(error)

    def _unexpected(self, error: Exception) -> Result:
        _log.error("sending failed in an unexpected way", channel=self.channel.name, exc_info=error)
        # The error's own text may hold anything, so it is redacted like an answer.
        return Result(
            Outcome.RETRY, error=self.channel.shown(f"internal error: {type(error).__name__}: {error}")
        )

    def _compose(
        self, claim: Claim, telling: Telling, at: datetime
    ) -> tuple[Message, str, TemplateError | None]:
        try:
            parts = self.renderer.render(
                self.channel.kind, self.channel.PARTS, telling, claim.delivery.template
            )
            message = self._message(claim, telling, at, parts)
            return message, self.channel.compose(message), None
        except TemplateError as error:
            broken = error
        except BadBody as error:
            broken = TemplateError(self._template(claim), None, self.channel.shown(error.message))
        except Exception as error:
            # A bug in rendering must not stop the channel: the plain form needs no template.
            _log.exception("rendering failed in an unexpected way", channel=self.channel.name)
            broken = TemplateError(self._template(claim), None, f"internal error: {type(error).__name__}")
        return (*self._plain(claim, telling, at, broken), broken)

    def _plain(
        self, claim: Claim, telling: Telling, at: datetime, broken: TemplateError
    ) -> tuple[Message, str]:
        title, text = plain_text(telling, str(broken))
        parts = self.channel.plain(title, text, payload(telling, self.renderer.public_url))
        message = self._message(claim, telling, at, parts)
        return message, self.channel.compose(message)

    def _message(self, claim: Claim, telling: Telling, at: datetime, parts: Mapping[str, str]) -> Message:
        delivery = claim.delivery
        return Message(
            id=delivery.id,
            type=telling.type,
            status=telling.event.status,
            severity=telling.severity,
            timestamp=claim.events[-1].happened_at,
            at=at,
            thread=delivery.thread,
            whole=delivery.alone or all(event.thread == delivery.thread for event in claim.events),
            parts=parts,
            attempt=delivery.attempts + 1,
            settled=frozenset(delivery.settled),
            follows=claim.follows,
            previous=claim.previous,
            traceparent=self.traceparent(delivery),
        )

    def _telling(self, claim: Claim, at: datetime) -> Telling:
        delivery = claim.delivery
        about, *others = {event.thread for event in claim.events}
        over = claim.events[-1].status is Status.RESOLVED
        return Telling(
            self._fitting(claim.events),
            delivery.rule,
            self.channel.name,
            delivery.id,
            delivery.replay_of,
            thread=delivery.thread,
            reason=delivery.reason,
            group=delivery.group,
            more=delivery.more,
            part=delivery.part,
            parts=delivery.parts,
            rule_about=_about(self.rules().get(delivery.rule)),
            acknowledged=None if others or over else self._known(about, at),
            acknowledge_url=lambda thread: self._link(thread, at),
        )

    def _known(self, thread: str, at: datetime) -> Acknowledgement | None:
        found = self.acknowledged(thread)
        return found if found is not None and found.holds(at) else None

    def _link(self, thread: str, at: datetime) -> str | None:
        """Return the link by which a reader takes care of something that nobody takes care of yet."""
        if not self.channel.ACKNOWLEDGES or self._known(thread, at) is not None:
            return None
        return self.acknowledge_url(thread)

    def _template(self, claim: Claim) -> str:
        return f"{self.channel.kind}/{claim.delivery.template or claim.events[0].type}"


def _about(rule: Rule | None) -> RuleAbout:
    if rule is None:
        return RuleAbout()
    about = RuleAbout(rule.labels, rule.annotations, rule.runbook_url)
    return about if rule.group is None else replace(about, most=rule.group.max)


def _words(rule: Rule) -> int:
    """Return how many bytes a rule adds to what is told of an event, at the most."""
    return len(json.dumps([rule.name, rule.labels, rule.annotations, rule.runbook_url]).encode())


def _said(sent: Sent, channel: Channel) -> Result:
    if not sent.targets:
        return Result(Outcome.DELIVERED, replace(sent, answer=channel.shown(sent.answer)))
    sent = replace(sent, answer=channel.shown(sent.answer), targets=_shown(sent.targets, channel))
    outcome = overall(sent.targets)
    errors = [f"{each.target}: {each.error}" for each in sent.targets if each.error]
    return Result(outcome, sent, channel.shown("; ".join(errors)) or None, sent.retry_after)


def _failed(error: SendError, channel: Channel) -> Result:
    sent = Sent(error.status, channel.shown(error.answer), _shown(error.targets, channel))
    return Result(error.outcome, sent, channel.shown(error.message), error.retry_after)


def _shown(targets: Sequence[TargetOutcome], channel: Channel) -> tuple[TargetOutcome, ...]:
    return tuple(replace(each, error=each.error and channel.shown(each.error)) for each in targets)
