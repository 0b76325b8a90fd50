"""Telling what answers in the place of MSR."""

from relay.msr.errors import MsrError
from relay.msr.requests import Reply, Requests
from relay.msr.text import one_line

_VERSION_LENGTH = 50


async def recognise(requests: Requests, url: str) -> str:
    """What it is that answers at a URL where no MSR does, with what to do about it. Raises Unreachable."""
    # From Harbor's API 2.0; both can be read without a user. Its portal answers any other path with 200.
    ping = await requests.ask(url, "/api/v2.0/ping")
    if ping.status == 200 and ping.answer.text().strip('" \n').casefold() == "pong":
        version = await _harbor_version(requests, url)
        return f"this is Harbor{version}, on which MSR 4 is built: the relay reads MSR 2, MSR 3 and DTR only"
    registry = await requests.ask(url, "/v2/")
    if "Docker-Distribution-Api-Version" in registry.answer.headers:
        return "this is a container registry, but not MSR: give the URL of MSR"
    return "this is no MSR, but some other web server or a login page: give the URL of MSR"


async def _harbor_version(requests: Requests, url: str) -> str:
    try:
        reply: Reply = await requests.get(url, "/api/v2.0/systeminfo")
        version = reply.document(_version)
    except MsrError:
        return ""
    return f" {version}" if version else ""


def _version(document: object) -> str:
    version = document.get("harbor_version") if isinstance(document, dict) else None
    return one_line(version, _VERSION_LENGTH) if isinstance(version, str) else ""
