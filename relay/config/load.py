"""Loads a model from its layers: environment over `.env` over the YAML file over the model's defaults."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from pydantic import ValidationError

from relay.config import document, secret_files, variables
from relay.config import shape as shapes
from relay.config.interpolate import Finding, interpolate
from relay.config.overlay import Overlay, Shorthand
from relay.config.problems import problems
from relay.config.settings import RootSettings
from relay.config.tree import Document, Layer, Origin, Table, leaves, plain
from relay.config.variables import Variable
from relay.model.errors import ConfigError, Problem

VARIABLE: Final = "RELAY_CONFIG"
PLACES: Final = (Path("relay.yaml"), Path("/etc/msr-relay/relay.yaml"))
_OTHERS_MAY_READ: Final = 0o004

S = TypeVar("S", bound=RootSettings)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S]):
    """Settings that are in order, where each of their values was written, and what is unwise about them."""

    settings: S
    document: Document
    warnings: tuple[Problem, ...]


def find(option: Path | None, environ: Mapping[str, str], places: Sequence[Path] = PLACES) -> Path | None:
    """The configuration file: the option's, else RELAY_CONFIG's, else the first of `places` that exists.

    None means that there is none, and the environment alone configures. Raises ConfigError when a file that
    was named does not exist.
    """
    named = [(option, "--config"), (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None, VARIABLE)]
    for path, source in named:
        if path is not None:
            if not path.exists():
                raise ConfigError(Problem(source, "", f"the file {path} does not exist"))
            return path
    return next((path for path in places if path.is_file()), None)


def load(
    model: type[S],
    *,
    path: Path | None,
    environ: Mapping[str, str],
    dotenv: Path | None = None,
    shorthands: Mapping[str, Shorthand] | None = None,
    known: Collection[str] = (VARIABLE,),
    across: Callable[[Document], Iterable[Problem]] = lambda _: (),
) -> Loaded[S]:
    """Loads the settings. Raises ConfigError with all problems.

    `path` is the YAML file, None for none; `dotenv` a file of variables, which need not exist; `shorthands`
    are variables with short names (upper case) for places of the tree; `known` are `RELAY_…` names that are
    not settings. `across` tells what is wrong between values; it must cope with values of any type, for what
    it finds is told together with what is wrong with single ones.
    """
    layers = (variables.from_dotenv(dotenv) if dotenv else {}, variables.from_environ(environ))
    root = document.read(path) if path else Table({}, Origin(Layer.FILE, "no configuration file"))
    loader = _Loader(model, shorthands or {}, frozenset(known), path.parent if path else Path())
    tree = loader.merge(root, *layers)
    settings = loader.check(tree, across)
    return Loaded(settings, tree, tuple(_warnings(model, tree, path, dotenv if layers[0] else None)))


class _Loader(Generic[S]):
    """One loading: collects the problems of all its steps, so that they are told together."""

    def __init__(
        self, model: type[S], shorthands: Mapping[str, Shorthand], known: frozenset[str], base: Path
    ) -> None:
        self._model = model
        self._problems: list[Problem] = []
        self._overlay = Overlay(model, shorthands, known, self._problems.append)
        self._base = base

    def merge(self, root: Table, *layers: Mapping[str, Variable]) -> Document:
        """The tree of all layers, the later ones over the earlier."""
        findings: list[Finding] = []
        tree = interpolate(root, variables.merged(*layers), findings.append)
        assert isinstance(tree, Table)
        for layer in layers:
            tree = self._overlay.apply(tree, layer)
        merged = Document(tree)
        # A reference without its variable does no harm where a higher layer has replaced it.
        findings = [f for f in findings if (node := merged.node(f.loc)) and node.origin == f.origin]
        broken = {f.origin for f in findings}
        tree = secret_files.fill(
            tree, (self._model,), self._base, lambda f: None if f.origin in broken else findings.append(f)
        )
        for f in findings:
            self._problems.append(Problem(str(f.origin), merged.describe(f.loc), f.message, f.hint))
        return Document(tree)

    def check(self, tree: Document, across: Callable[[Document], Iterable[Problem]]) -> S:
        """The settings, or all problems."""
        build: Callable[..., S] = self._model
        error: ValidationError | None = None
        try:
            settings = build(tree=plain(tree.root))
        except ValidationError as caught:
            error = caught
        # What could not be expanded or read was left empty: what pydantic says of that is no news.
        told = {problem.where for problem in self._problems}
        found = problems(error, self._model, tree) if error is not None else ()
        every = (*self._problems, *(each for each in (*found, *across(tree)) if each.where not in told))
        if every:
            # Raised outside of the except clause: no traceback may lead to pydantic's own text.
            raise ConfigError(*every)
        return settings


def _warnings(
    model: type[RootSettings], tree: Document, path: Path | None, dotenv: Path | None
) -> Iterator[Problem]:
    advice = "allow it to its owner only (chmod 600)"
    if dotenv is not None and _open(dotenv):
        yield Problem(str(dotenv), "", "every user of this machine can read this file", advice)
    if path is None or not _open(path):
        return
    for loc, node in leaves(tree.root):
        written = node.origin.layer is Layer.FILE and not node.hidden and node.value is not None
        if written and shapes.is_secret(shapes.at(model, tree.root, loc)):
            yield tree.problem(
                loc, "every user of this machine can read this secret", f"{advice}, or use ${{VAR}}"
            )


def _open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & _OTHERS_MAY_READ)
    except OSError:
        return False
