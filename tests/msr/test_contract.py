"""One suite over the real notary server and over both imitations, so that none can flatter the client.

The scenario: prod/app and prod/other are signed, prod/app again, then deleted, then signed anew: five
records.
"""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from pydantic import SecretStr

from relay.demo.feed import RethinkDb, Sql
from relay.demo.imitation import Imitation
from relay.http import Answer, Http, Route
from relay.model.clock import SystemClock
from relay.msr import (
    Category,
    CursorRefused,
    Msr,
    NoAccess,
    PasswordRefused,
    Record,
    Replica,
    TokenRefused,
    Unwell,
)
from relay.msr.requests import basic
from tests.real.msr import Msr as RealMsr
from tests.support.clock import ManualClock

from .conftest import PASSWORD, Cluster

GLOBAL = "/v2/_trust/changefeed"
CATALOG = "registry:catalog:*"
UUID = "8b25c1e6-2bb1-4d53-9f2f-111111111111"


@dataclass
class Subject:
    """A cluster under test, whatever it is made of."""

    kind: str
    url: str
    host: str
    http: Http
    route: Route
    passwords: dict[str, str]
    publish: Callable[[str], object]
    delete: Callable[[str], object]
    set_token_seconds: Callable[[int], None]
    fill: Callable[[int], None]
    settle: Callable[[], None] = field(default=lambda: None)

    @property
    def is_sql(self) -> bool:
        return self.kind != "imitation of RethinkDB"

    def scenario(self) -> None:
        self.publish("prod/app")
        self.publish("prod/other")
        self.publish("prod/app")
        self.delete("prod/app")
        self.publish("prod/app")
        self.settle()

    def feed(self, repository: str) -> str:
        return f"/v2/{self.host}/{repository}/_trust/changefeed"

    def scope(self, repository: str) -> str:
        return f"repository:{self.host}/{repository}:pull"

    def client(self, user: str = "admin", password: str | None = None) -> Msr:
        return Msr(
            "prod",
            [Replica("r1", self.url)],
            self.url,
            registry_host=self.host,
            username=user,
            password=SecretStr(self.passwords[user] if password is None else password),
            http=self.http,
            route=self.route,
            clock=SystemClock(),
        )

    async def get(self, path: str, authorization: str = "") -> Answer:
        headers = {"Authorization": authorization} if authorization else None
        return await self.http.send("GET", self.url + path, route=self.route, headers=headers, timeout=20)

    async def token(self, scope: str, user: str = "admin") -> str:
        login = basic(user, SecretStr(self.passwords[user]))
        answer = await self.get(f"/auth/token?realm=dtr&service=dtr&scope={scope}", login)
        return f"Bearer {json.loads(answer.body)['token']}"


async def imitated(kind: str, serve, http: Http) -> Subject:
    clock = ManualClock()
    cluster = Cluster(http, clock, Sql(Random(1)) if "SQL" in kind else RethinkDb(Random(1)))
    await cluster.start(serve)
    imitation: Imitation = cluster.imitation

    def later(change: Callable[[str], object]) -> Callable[[str], None]:
        def do(repository: str) -> None:
            change(repository)
            clock.jump(0.01)

        return do

    def fill(count: int) -> None:
        for _ in range(count):
            later(imitation.sign)("prod/other")

    return Subject(
        kind,
        cluster.replicas[0].url,
        cluster.host,
        http,
        Route(allow_private=True),
        {"admin": PASSWORD, "ci-bot": "ci"},
        later(imitation.sign),
        later(imitation.delete),
        lambda seconds: setattr(imitation, "token_seconds", seconds),
        fill,
        # What is written becomes visible on RethinkDB after a minute.
        lambda: clock.jump(61),
    )


def real(make_msr, http: Http) -> Subject:
    msr: RealMsr = make_msr()
    ci_bot = msr.add_user("ci-bot", "ci", "prod/app")

    def publish(repository: str) -> None:
        # One record, as in the imitation: `init` writes the first version, each tag one more.
        gun = msr.gun(repository)
        if gun in signed:
            msr.client.sign(gun, f"tag-{len(signed)}")
        else:
            msr.client.init(gun)
        signed.append(gun)

    def delete(repository: str) -> None:
        msr.delete(repository)
        signed[:] = [gun for gun in signed if gun != msr.gun(repository)]

    def fill(count: int) -> None:
        for number in range(count):
            msr.notary.add_record(msr.gun("prod/other"), "update", version=number + 2, sha256="0" * 64)

    signed: list[str] = []
    return Subject(
        "real notary",
        msr.url,
        msr.host,
        http,
        Route(ca_file=msr.pki.ca_file, allow_private=True),
        {"admin": msr.admin.password, ci_bot.name: ci_bot.password},
        publish,
        delete,
        lambda seconds: setattr(msr, "token_lifetime", seconds),
        fill,
    )


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(SystemClock())
    yield client
    await client.close()


@pytest.fixture(
    params=[
        pytest.param("real notary", marks=pytest.mark.real("notary", "postgresql")),
        "imitation of SQL",
        "imitation of RethinkDB",
    ]
)
async def subject(request: pytest.FixtureRequest, serve, http) -> Subject:
    if request.param == "real notary":
        return real(request.getfixturevalue("make_msr"), http)
    return await imitated(request.param, serve, http)


async def everything(msr: Msr) -> list[Record]:
    records = (await msr.changefeed("0", 1000)).records
    assert all(isinstance(record, Record) for record in records)
    return list(records)  # type: ignore[arg-type]


async def test_an_empty_feed(subject):
    msr = subject.client()
    for change_id, records in (("0", 1), ("0", -1), ("-1", 1), ("0", 0)):
        assert (await msr.changefeed(change_id, records)).records == ()
    assert await msr.newest() is None
    answer = await subject.get(f"{GLOBAL}?change_id=0&records=1", await subject.token(CATALOG))
    assert (answer.status, answer.json()) == (200, {"count": 0, "records": []})


async def test_an_unknown_repository_looks_like_an_empty_one(subject):
    subject.scenario()
    answer = await subject.get(
        f"{subject.feed('prod/none')}?change_id=0&records=1", await subject.token(subject.scope("prod/none"))
    )
    assert (answer.status, answer.json()) == (200, {"count": 0, "records": []})
    assert (await subject.client().changefeed("0", 10, "prod/none")).records == ()
    assert await subject.client().newest("prod/none") is None


async def test_what_records_say(subject):
    subject.scenario()
    records = await everything(subject.client())
    app, other = f"{subject.host}/prod/app", f"{subject.host}/prod/other"
    assert [(r.gun, r.version, r.category) for r in records] == [
        (app, 1, Category.UPDATE),
        (other, 1, Category.UPDATE),
        (app, 2, Category.UPDATE),
        (app, 0, Category.DELETION),
        (app, 1, Category.UPDATE),
    ]
    assert [len(r.sha256) for r in records] == [64, 64, 64, 0, 64]
    assert sorted(r.created_at for r in records) == [r.created_at for r in records]
    assert len({r.id for r in records}) == 5
    assert all(r.created_at.utcoffset().total_seconds() == 0 for r in records)


async def test_the_raw_answer(subject):
    subject.scenario()
    answer = await subject.get(f"{GLOBAL}?change_id=0&records=4", await subject.token(CATALOG))
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    document = answer.json()
    assert document["count"] == 4
    for raw in document["records"]:
        assert list(raw) == ["ID", "CreatedAt", "GUN", "Version", "SHA256", "Category"]
        assert isinstance(raw["ID"], str)
        assert raw["CreatedAt"].endswith("Z")
    assert document["records"][3]["SHA256"] == (" " * 64 if subject.is_sql else "")


async def test_pages_begin_after_their_change_id(subject):
    subject.scenario()
    msr = subject.client()
    ids = [record.id for record in await everything(msr)]

    async def page(change_id, records):
        return [record.id for record in (await msr.changefeed(change_id, records)).records]

    assert await page("0", 2) == ids[:2]
    assert await page(ids[1], 2) == ids[2:4]
    assert await page(ids[4], 2) == []
    assert await page(ids[3], -2) == ids[1:3]
    assert await page(ids[0], -2) == []
    assert await page("0", -2) == ids[-2:]
    assert await page("-1", 2) == ids[-2:]
    assert await page("-1", -1) == ids[-1:]
    if subject.is_sql:
        assert await page("", 1) == ids[:1]
        assert await page("1", -1) == []
        assert await page("1", 1) == [i for i in ids if int(i) > 1][:1]
        assert await page("-5", 2) == ids[-2:]


async def test_zero_records_are_a_hundred(subject):
    subject.scenario()
    subject.fill(100)
    subject.settle()
    msr = subject.client()
    ids = [record.id for record in await everything(msr)]
    assert len(ids) == 105
    assert [record.id for record in (await msr.changefeed("0", 0)).records] == ids[:100]
    assert [record.id for record in (await msr.changefeed(ids[1], 0)).records] == ids[2:102]


async def test_the_newest(subject):
    subject.scenario()
    msr = subject.client()
    records = await everything(msr)
    assert await msr.newest() == records[-1]
    assert await msr.newest("prod/other") == records[1]


async def test_the_feed_of_one_repository(subject):
    subject.scenario()
    records = await everything(subject.client())
    ci_bot = subject.client("ci-bot")
    of_app = [record for record in records if record.gun.endswith("/app")]
    assert list((await ci_bot.changefeed("0", 10, "prod/app")).records) == of_app
    assert list((await ci_bot.changefeed(of_app[1].id, 1, "prod/app")).records) == of_app[2:3]
    # A record of another repository will do for a change id.
    assert list((await ci_bot.changefeed(records[1].id, 10, "prod/app")).records) == of_app[1:]


async def test_deleting_what_does_not_exist_writes_nothing(subject):
    subject.publish("prod/app")
    subject.delete("prod/app")
    subject.delete("prod/app")
    subject.settle()
    assert [record.version for record in await everything(subject.client())] == [1, 0]


class TestRefusals:
    async def refused(self, subject: Subject, path: str, authorization: str, error: str, scope: str) -> None:
        answer = await subject.get(f"{path}?change_id=0&records=1", authorization)
        assert answer.status == 401
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        [problem] = answer.json()["errors"]
        kind, name = scope.split(":", 1)
        name, action = name.rsplit(":", 1)
        detail = [{"Type": kind, "Class": "", "Name": name, "Action": action}]
        assert problem == {"code": "UNAUTHORIZED", "message": "authentication required", "detail": detail}
        suffix = f',error="{error}"' if error else ""
        assert answer.headers["WWW-Authenticate"] == (
            f'Bearer realm="{subject.url}/auth/token",service="dtr",scope="{scope}"{suffix}'
        )

    async def test_without_a_token(self, subject):
        for path, scope in ((GLOBAL, CATALOG), (subject.feed("prod/app"), subject.scope("prod/app"))):
            await self.refused(subject, path, "", "", scope)
            await self.refused(subject, path, "Basic eDp5", "", scope)

    async def test_with_a_bad_token(self, subject):
        await self.refused(subject, GLOBAL, "Bearer nonsense", "invalid_token", CATALOG)

    async def test_with_an_expired_token(self, subject):
        subject.set_token_seconds(-50)
        assert (
            await subject.get(f"{GLOBAL}?change_id=0&records=1", await subject.token(CATALOG))
        ).status == 200
        subject.set_token_seconds(-70)
        await self.refused(subject, GLOBAL, await subject.token(CATALOG), "invalid_token", CATALOG)

    async def test_with_a_token_for_something_else(self, subject):
        feed, scope = subject.feed("prod/app"), subject.scope("prod/app")
        for_all, for_app = await subject.token(CATALOG), await subject.token(scope)
        await self.refused(subject, feed, for_all, "insufficient_scope", scope)
        await self.refused(subject, GLOBAL, for_app, "insufficient_scope", CATALOG)

    async def test_with_the_token_of_somebody_who_may_not(self, subject):
        token = await subject.token(CATALOG, "ci-bot")
        await self.refused(subject, GLOBAL, token, "insufficient_scope", CATALOG)
        other = subject.scope("prod/other")
        token = await subject.token(other, "ci-bot")
        await self.refused(subject, subject.feed("prod/other"), token, "insufficient_scope", other)

    async def test_in_the_client_s_words(self, subject):
        with pytest.raises(NoAccess, match=r"of all repositories: .* under clusters\[prod\].repositories"):
            await subject.client("ci-bot").changefeed("0", 1)
        with pytest.raises(NoAccess, match="changefeed of prod/other"):
            await subject.client("ci-bot").changefeed("0", 1, "prod/other")
        with pytest.raises(PasswordRefused, match=r"clusters\[prod\].username"):
            await subject.client("admin", "wrong").changefeed("0", 1)

    async def test_an_expired_token_is_renewed_by_the_client(self, subject):
        msr = subject.client()
        subject.set_token_seconds(-70)
        with pytest.raises(TokenRefused, match="just issued"):
            await msr.changefeed("0", 1)
        subject.set_token_seconds(300)
        assert (await msr.changefeed("0", 1)).records == ()


BAD_RECORDS = {
    "": 'parsing "": invalid syntax',
    "abc": 'parsing "abc": invalid syntax',
    "1.0": 'parsing "1.0": invalid syntax',
    "2147483648": 'parsing "2147483648": value out of range',
}


async def test_bad_records(subject):
    token = await subject.token(CATALOG)
    for records, words in BAD_RECORDS.items():
        answer = await subject.get(f"{GLOBAL}?change_id=0&records={records}", token)
        assert answer.status == 400
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.json() == {
            "errors": [
                {
                    "code": "INVALID_PARAMETERS",
                    "message": "The parameters provided are not valid.",
                    "detail": f"invalid records parameter: strconv.ParseInt: {words}",
                }
            ]
        }
    assert (await subject.get(f"{GLOBAL}?change_id=0", token)).status == 400


async def test_a_cursor_of_another_back_end(subject):
    subject.scenario()
    msr = subject.client()
    if subject.is_sql:
        for change_id in (UUID, "1.0", "1_0", " 1", "2147483648"):
            with pytest.raises(CursorRefused, match="change id"):
                await msr.changefeed(change_id, 1)
        answer = await subject.get(f"{GLOBAL}?change_id={UUID}&records=1", await subject.token(CATALOG))
        assert answer.json()["errors"] == [
            {
                "code": "INVALID_PARAMETERS",
                "message": "The parameters provided are not valid.",
                "detail": {},
            }
        ]
    else:
        with pytest.raises(Unwell, match="UNKNOWN"):
            await msr.changefeed("12", 1)


async def test_an_unknown_cursor(subject):
    subject.scenario()
    if subject.is_sql:
        assert (await subject.client().changefeed("9999", 1)).records == ()
    else:
        with pytest.raises(Unwell, match="status 500"):
            await subject.client().changefeed(UUID, 1)
