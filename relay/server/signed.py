"""Signing what comes back to us: links and cookies."""

import hashlib
from typing import Any

from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from relay.model.clock import Clock


class _Signer(TimestampSigner):
    """Reads the time of the clock that it is given: the library's own asks the machine."""

    def __init__(self, *arguments: Any, clock: Clock, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock.now().timestamp())


def timed(key: str, salt: str, clock: Clock) -> URLSafeTimedSerializer:
    """Return what signs JSON together with the time. ``salt`` says what for: each use has its own."""
    return URLSafeTimedSerializer(
        key,
        salt,
        signer=_Signer,
        signer_kwargs={"clock": clock, "key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
