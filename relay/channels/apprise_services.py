"""The house rules for Apprise: no redirects, no retries of its own, nothing in the logs, one result per URL.

Seen in Apprise 2.2: redirects are followed, and counted as success; `?optional=yes` counts a failure as
success; an unknown service is only logged; the HTTP status is in a log line alone; log lines hold URLs.
Importing Apprise with all its services takes about 0.8 s: this module is imported when first needed.
"""

import hashlib
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import apprise
from apprise.manager_plugins import NotificationManager

from relay.channels.base import cut, secret_parts

Fault = tuple[str, str]
"""Where in the configuration, and what is wrong there."""
_ROUNDS: Final = 100_000
_STATUS: Final = re.compile(r"\berror=(\d{3})\b")


@dataclass(frozen=True, slots=True)
class Service:
    """One URL, ready to be sent to."""

    target: str
    sender: apprise.Apprise
    title_characters: int
    body_characters: int
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why Apprise could not send: its last log line, not redacted, and the HTTP status if it has one."""

    text: str
    status: int | None


class _Counter(logging.Handler):
    """Counts the complaints about a configuration file; their text holds URLs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002
        self.count += 1


def from_urls(urls: Iterable[str], channel: str) -> tuple[list[Service], list[Fault]]:
    """The services of some URLs, and what is wrong with the others (without the URLs)."""
    services, faults = [], []
    for index, url in enumerate(urls):
        plugin = apprise.Apprise.instantiate(url, asset=_asset())
        if plugin is None:
            faults.append((f"urls[{index}]", _complaint(url)))
        else:
            services.append(_service(plugin, url, channel))
    return services, faults


def from_file(file: Path, tags: Iterable[str], channel: str) -> tuple[list[Service], list[Fault]]:
    """The services that an Apprise configuration file names under any of the tags; all without tags."""
    wanted = list(tags)
    counter = _Counter()
    logger = logging.getLogger("apprise")
    logger.addHandler(counter)
    try:
        everything = apprise.Apprise(asset=_asset())
        everything.add(apprise.AppriseConfig(str(file.absolute()), asset=_asset()))
        plugins: list[Any] = list(everything.find(tag=wanted or "all"))
    finally:
        logger.removeHandler(counter)
    faults = []
    if not plugins:
        faults.append(
            (str(file), "it names no service" + (f" with one of the tags {wanted}" if wanted else ""))
        )
    if counter.count:
        hint = f"see `apprise --config {file} --dry-run -vv`"
        faults.append((str(file), f"Apprise cannot use it, or not all of it: {hint}"))
    return [_service(plugin, str(plugin.url()), channel) for plugin in plugins], faults


def notify(service: Service, title: str, body: str, kind: str) -> Failure | None:
    """Send, blocking. None: it was taken. `kind`: info, success, warning or failure."""
    room = service.body_characters if service.title_characters else service.body_characters - len(title) - 2
    result = service.sender.notify(
        title=cut(title, service.title_characters) if service.title_characters else title,
        body=cut(body, max(room, 0)),
        notify_type=kind,
        body_format="text",
    )
    attempts = [attempt for one in result.results for attempt in one.attempts]
    if attempts and all(attempt.status == apprise.AppriseResultStatus.SUCCESS for attempt in attempts):
        return None
    lines = [entry.message for attempt in attempts for entry in attempt.logs]
    text = lines[-1] if lines else "no reason given"
    status = _STATUS.search(text)
    return Failure(text, int(status[1]) if status else None)


def _asset() -> Any:
    # Without a time limit Apprise sends in the caller's thread; with one it starts threads of its own.
    return apprise.AppriseAsset(
        app_id="MSR Relay", http_redirects=False, async_mode=False, service_timeout=0, interpret_emojis=False
    )


def _service(plugin: Any, url: str, channel: str) -> Service:
    # A URL's own parameters would win over the asset.
    plugin.retry, plugin.redirects, plugin.optional = 0, False, False
    sender = apprise.Apprise(plugin, asset=_asset())
    return Service(
        f"{str(plugin.service_name).lower()}-{_digest(url, channel)}",
        sender,
        max(0, plugin.title_maxlen),
        plugin.body_maxlen,
        (url, *secret_parts(url)),
    )


def _digest(url: str, channel: str) -> str:
    # Slow and short on purpose: it is stored and shown, and must not help to guess a password.
    return hashlib.pbkdf2_hmac("sha256", url.encode(), channel.encode(), _ROUNDS, 4).hex()


def _complaint(url: str) -> str:
    schema = url.partition("://")[0].lower()
    manager: Any = NotificationManager
    known = manager().schemas()
    if schema in known:
        return f"Apprise takes no such URL for {schema}://: see its documentation of this service"
    near = get_close_matches(schema, known, n=1)
    return f"Apprise has no service {schema}://" + (f": did you mean {near[0]}://?" if near else "")
