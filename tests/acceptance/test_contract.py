"""The API keeps to its own OpenAPI document, whatever is asked: schemathesis asks a relay that runs."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from relay.server.api import OPERATIONS, openapi
from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import Relay, until
from tests.real.loops import LoopThread
from tests.real.pki import Pki
from tests.real.webhooks import Answer, Receiver

TOKEN = "a-token-for-everything"
NOT_ASKED = [
    # What the schema allows may still make no sense: a silence that is over before it begins, say.
    positive_data_acceptance,
    # It sends wrong tokens until there were too many; who may do what has tests of its own.
    ignored_auth,
]
SCHEMA = schemathesis.openapi.from_dict(openapi.document(OPERATIONS))


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, loop_thread: LoopThread, pki: Pki) -> Iterator[Relay]:
    """A relay with events, an alert, deliveries that arrived, and others that are dead."""
    cluster, receiver = Cluster(loop_thread), Receiver(loop_thread, pki)
    receiver.paths["/dead"] = Answer(400)
    hook = {"kind": "webhook", "allow_private": True}
    found = Relay(
        tmp_path_factory.mktemp("contract"),
        {
            "clusters": [cluster.settings(), {"name": "gone", "url": "http://127.0.0.1:9", "failures": 1}],
            "channels": [
                {"name": "soc", "url": f"{receiver.url}/", **hook},
                {"name": "dead", "url": f"{receiver.url}/dead", **hook},
            ],
        },
    )
    found.change(server={"listen": f"127.0.0.1:{found.port}", "api_token": TOKEN})
    cluster.delete("prod/app", "prod/web")
    found.start()
    until(lambda: len(found.rows("SELECT 1 FROM deliveries WHERE state = 'dead'")) > 1, "some are dead")
    yield found
    found.close()
    receiver.stop()
    cluster.stop()


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(case: schemathesis.Case, relay: Relay) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    case.call_and_validate(
        base_url=f"http://127.0.0.1:{relay.port}/api/v1", headers=headers, excluded_checks=NOT_ASKED
    )
