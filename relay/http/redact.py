"""Keeping secrets out of texts that are logged, stored or shown."""

import base64
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

from pydantic import SecretStr
from yarl import URL

_MASK = "***"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Redactor:
    """Hides secrets wherever they show up: as they are, percent-encoded, in JSON, or in base64."""

    def __init__(self, secrets: Iterable[SecretStr | str]) -> None:
        plain = (each.get_secret_value() if isinstance(each, SecretStr) else each for each in secrets)
        spellings = {spelling for secret in plain if secret for spelling in _spellings(secret)}
        # Longest first: a secret may be the beginning of another one, whose rest would stay readable.
        self._spellings = sorted(spellings, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._spellings)))

    def finds(self, text: str) -> bool:
        """Tell whether there is a secret in the text."""
        # Much quicker than the pattern, and nearly always all that there is to do.
        return any(spelling in text for spelling in self._spellings)

    def __call__(self, text: str) -> str:
        """Return the text with every secret replaced by `***`."""
        return self._pattern.sub(_MASK, text) if self.finds(text) else text


def redact(text: str, secrets: Iterable[SecretStr | str]) -> str:
    """The text with every secret replaced by `***`; see ``Redactor``, which is quicker for many texts."""
    return _redactor(frozenset(s.get_secret_value() if isinstance(s, SecretStr) else s for s in secrets))(
        text
    )


@lru_cache(maxsize=256)
def _redactor(secrets: frozenset[str]) -> Redactor:
    return Redactor(secrets)


def _spellings(secret: str) -> set[str]:
    encoded = secret.encode("utf-8", "surrogatepass")
    return {
        secret,
        quote(encoded, safe=""),
        quote(encoded),
        quote_plus(encoded),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        base64.b64encode(encoded).decode(),
    }


def origin(url: str) -> str:
    """`scheme://host:port` of a URL: all of it that may be shown. `an invalid URL` if it is none."""
    try:
        parsed = URL(url)
        host, port = parsed.host_subcomponent, parsed.port
    except ValueError:
        return "an invalid URL"
    if not host or not parsed.scheme:
        return "an invalid URL"
    shown = port if port is not None else _DEFAULT_PORTS.get(parsed.scheme)
    return f"{parsed.scheme}://{host}" + (f":{shown}" if shown is not None else "")
