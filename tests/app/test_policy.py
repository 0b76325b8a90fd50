"""What the configuration says of alerts, and what their types say where it says nothing."""

from datetime import timedelta
from typing import Any

import pytest

from relay.app.build import setting
from relay.engine.policy import Damping
from relay.model.catalogue import CATALOGUE
from relay.settings import Settings

OWN = CATALOGUE["gc.held"].hold
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("alerts", "damping"),
    [
        ({}, Damping(OWN)),
        ({"gc.held": {"keep_firing_for": "1m"}}, Damping(OWN, MINUTE)),
        ({"gc.held": {"for": "1m"}}, Damping(MINUTE)),
        ({"gc.held": {"for": "0s"}}, Damping()),
    ],
)
def test_a_type_keeps_its_own_for_until_the_user_says_another(alerts: Any, damping: Damping) -> None:
    assert OWN
    policy = setting(Settings.model_validate({"alerts": alerts}), []).policy
    assert policy.damp("gc.held") == damping
    assert policy.damp("ping.failing") == Damping()
