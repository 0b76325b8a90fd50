"""``/assets/…``: scripts and styles of the pages, under addresses that change with their content."""

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import web

from relay.render.pages import FOLDER
from relay.render.renderer import shipped
from relay.server.refused import RefusedError

ROOT: Final = "/assets/"
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_PACKED: Final = (".css", ".js", ".svg")
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_FOR_A_DAY: Final = "public, max-age=86400"
_ICON: Final = "icon.svg"
_DIGITS: Final = 16
"""Hexadecimal digits of a file's SHA-256 that are in its address."""


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    packed: bytes | None
    type: str


class Assets:
    """The files of some folders, as they are when this is made."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._paths: dict[str, str] = {}
        self._assets: dict[str, _Asset] = {}
        for file in sorted(each for folder in folders for each in folder.iterdir()):
            if file.suffix in _TYPES:
                self._add(file)

    def _add(self, file: Path) -> None:
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
        path = f"{file.stem}-{digest}{file.suffix}"
        packed = gzip.compress(content, mtime=0) if file.suffix in _PACKED else None
        self._paths[file.name] = path
        self._assets[path] = _Asset(content, packed, _TYPES[file.suffix])

    def url(self, name: str) -> str:
        """Return the path at which a file is served. Raises KeyError if there is none of that name."""
        return ROOT + self._paths[name]

    def routes(self) -> list[web.RouteDef]:
        """Return what is to be routed here. Nobody has to log in: all of it is public."""
        return [web.get(ROOT + "{path}", self.serve), web.get("/favicon.ico", self.icon)]

    async def serve(self, request: web.Request) -> web.Response:
        """Answer with a file. Raises RefusedError for another address."""
        asset = self._assets.get(request.match_info["path"])
        if asset is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "There is nothing here.", "Load the page again.")
        return _answer(request, asset, _FOR_EVER)

    async def icon(self, request: web.Request) -> web.Response:
        """Answer with the icon, where browsers ask for it of pages that name none."""
        return _answer(request, self._assets[self._paths[_ICON]], _FOR_A_DAY)


def _answer(request: web.Request, asset: _Asset, kept: str) -> web.Response:
    headers = {"Cache-Control": kept, "Vary": "Accept-Encoding"}
    content = asset.content
    if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        content, headers["Content-Encoding"] = asset.packed, "gzip"
    return web.Response(body=content, content_type=asset.type, charset=_charset(asset), headers=headers)


def _charset(asset: _Asset) -> str | None:
    return "utf-8" if asset.packed is not None else None


@cache
def assets() -> Assets:
    """Return the files that are shipped: those beside this one, and the style of the pages."""
    return Assets([Path(__file__).parent / "assets", shipped() / FOLDER])
