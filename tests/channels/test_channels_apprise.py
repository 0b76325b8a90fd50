import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from apprise import NotifyBase as CustomNotifyPlugin
from apprise.manager_plugins import NotificationManager
from pydantic import ValidationError

from relay.channels import Refused, Retryable
from relay.channels.apprise import Apprise
from relay.channels.threads import AllBusyError, Threads
from relay.http import Http
from relay.model.delivery import Outcome, Sent
from tests.channels.messages import message
from tests.channels.trouble import HttpPeer, Trouble, listening
from tests.real.webhooks import Answer, Receiver


def apprise(**options: Any) -> Apprise:
    return Apprise.model_validate({"kind": "apprise", "name": "phones"} | options)


async def deliver(channel: Apprise, http: Http, **changes: Any) -> Sent:
    told = message(**changes)
    return await channel.send(told, channel.compose(told), http)


def url(receiver: Receiver, path: str) -> str:
    return receiver.url.replace("http://", "json://") + path


async def test_an_outcome_per_url_and_a_retry_to_those_that_need_it(http: Http, webhooks: Receiver) -> None:
    webhooks.paths = {"/b": Answer(status=503), "/c": Answer(status=400), "/d": Answer(status=401)}
    channel = apprise(urls=[url(webhooks, f"/{name}") for name in "abcd"])
    sent = await deliver(channel, http)
    assert [target.outcome for target in sent.targets] == [
        Outcome.DELIVERED,
        Outcome.RETRY,
        Outcome.REJECTED,
        Outcome.REFUSED,
    ]
    assert [target.status for target in sent.targets] == [None, 503, 400, 401]
    names = [target.target for target in sent.targets]
    assert len(set(names)) == 4
    webhooks.paths = {}
    webhooks.requests.clear()
    again = await deliver(channel, http, settled=frozenset(names) - {names[1]})
    assert [(target.target, target.outcome) for target in again.targets] == [(names[1], Outcome.DELIVERED)]
    assert [request.path for request in webhooks.requests.items] == ["/b"]


async def test_targets_keep_their_names_when_urls_move(http: Http, webhooks: Receiver) -> None:
    a, b = url(webhooks, "/a"), url(webhooks, "/b")
    first = await deliver(apprise(urls=[a, b]), http)
    second = await deliver(apprise(urls=[b, a]), http)
    assert [t.target for t in second.targets] == [t.target for t in reversed(first.targets)]


async def test_a_urls_own_parameters_do_not_win(http: Http) -> None:
    peer = HttpPeer(Trouble.REDIRECT_302, trouble_after=Trouble.NONE)
    async with listening(peer.converse) as port:
        channel = apprise(urls=[f"json://127.0.0.1:{port}/?redirect=yes&retry=3&wait=0.01&optional=yes"])
        with pytest.raises(Refused, match="redirect refused"):
            await deliver(channel, http)
    assert len(peer.requests) == 1


async def test_what_is_said(http: Http, webhooks: Receiver) -> None:
    channel = apprise(urls=[url(webhooks, "/")])
    for changes in ({}, {"status": "resolved"}, {"severity": "info"}):
        await deliver(channel, http, **changes)
    kinds = [request.body for request in webhooks.requests.items]
    assert [b'"failure"' in kinds[0], b'"success"' in kinds[1], b'"info"' in kinds[2]] == [True] * 3
    assert b"Trust data of prod/app was deleted" in kinds[0]


async def test_limits_of_a_service_are_met_visibly(http: Http, webhooks: Receiver) -> None:
    channel = apprise(urls=[url(webhooks, "/")])
    await deliver(channel, http, parts={"title.txt": "t" * 9999, "txt": "x" * 99_999})
    [request] = webhooks.requests.items
    assert request.body.count(b"(cut)") == 2
    assert len(request.body) < 34_000


async def test_a_configuration_file_with_tags(http: Http, webhooks: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "apprise.conf"
    file.write_text(f"a={url(webhooks, '/s3cr3t-a-1')}\nb,c={url(webhooks, '/s3cr3t-b-2')}\n")
    channel = apprise(config_file=file, tags=["c", "d"])
    assert channel.problems() == ()
    await deliver(channel, http)
    assert [request.path for request in webhooks.requests.items] == ["/s3cr3t-b-2"]
    assert "s3cr3t-b-2" in channel.secrets()


async def test_a_configuration_file_without_services_holds_the_channel_until_it_has_some(
    http: Http, webhooks: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "apprise.conf"
    channel = apprise(config_file=file)
    with pytest.raises(Refused, match="names no service"):
        await deliver(channel, http)
    file.write_text(f"{url(webhooks, '/')}\nnosuch://S3CR3T\n")
    assert len((await deliver(channel, http)).targets) == 1
    [problem] = channel.problems()
    assert "not all of it" in problem
    assert "S3CR3T" not in problem


async def test_a_url_that_apprise_does_not_know(
    http: Http, webhooks: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    channel = apprise(urls=[url(webhooks, "/"), "jsn://S3CR3T/x", "tgram://S3CR3T"])
    first, second = channel.problems()
    assert first == "urls[1]: Apprise has no service jsn://: did you mean json://?"
    assert second.startswith("urls[2]: Apprise takes no such URL for tgram://")
    sent = await deliver(channel, http)
    assert [(t.target, t.outcome) for t in sent.targets][:2] == [
        ("urls[1]", Outcome.REJECTED),
        ("urls[2]", Outcome.REJECTED),
    ]
    assert sent.targets[2].outcome is Outcome.DELIVERED
    with pytest.raises(Refused, match=r"urls\[0\]"):
        await deliver(apprise(urls=["jsn://S3CR3T/x"]), http)


async def test_a_bug_in_one_service_does_not_hide_that_the_others_have_the_message(
    http: Http, webhooks: Receiver
) -> None:
    class Broken(CustomNotifyPlugin):  # type: ignore[misc]
        secure_protocol = "broken"

        def notify(self, *args: Any, **kwargs: Any) -> bool:
            raise RuntimeError("a bug, and S3CR3T-token-1")

    NotificationManager().add(Broken, schemas="broken")
    try:
        sent = await deliver(apprise(urls=["broken://S3CR3T-token-1", url(webhooks, "/")]), http)
    finally:
        NotificationManager().remove("broken")
    assert [target.outcome for target in sent.targets] == [Outcome.RETRY, Outcome.DELIVERED]
    assert "S3CR3T" not in str(sent)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "either `urls` or `config_file`"),
        ({"urls": ["json://h"], "config_file": "x"}, "either `urls` or `config_file`"),
        ({"urls": ["json://h"], "tags": ["x"]}, "`tags` choose from"),
        ({"urls": ["json://h", "S3CR3T"]}, r"urls[1] is no Apprise URL"),
    ],
)
def test_configuration_errors(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        apprise(**options)
    assert text in str(caught.value)
    assert "S3CR3T" not in str(caught.value)


async def test_threads_that_hang_are_counted_and_told_about(http: Http) -> None:
    peer = HttpPeer(Trouble.DRIPS)
    async with listening(peer.converse) as port:
        channel = apprise(urls=[f"json://127.0.0.1:{port}/"], timeout="100ms", concurrency=1)
        errors = []
        for _ in range(3):
            with pytest.raises(Retryable) as caught:
                await deliver(channel, http)
            errors.append(str(caught.value))
        assert ["may still arrive" in error for error in errors] == [True, True, False]
        assert "earlier messages still hang" in errors[2]
        assert len(peer.requests) == 2


async def test_a_thread_is_free_again_when_its_call_ends() -> None:
    threads, go = Threads("test", 1), threading.Event()
    first = asyncio.create_task(threads.run(go.wait))
    await asyncio.sleep(0)
    with pytest.raises(AllBusyError):
        await threads.run(int)
    go.set()
    assert await first is True
    assert await threads.run(int) == 0
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(int) == 0
