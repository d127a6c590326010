"""One run as it was found: its words, what surrounds them, and the card that fits. Nothing is decided here. On the hot path."""

import os

from lastgood import card as cards
from lastgood import paths, request, settings, surroundings
from lastgood.errors import Damage, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lastgood.card import Card
    from lastgood.request import Words


class Scene:
    """The words of a run and what surrounds them.

    origin    the working directory before `--directory`; `cwd` the one after
    beside    what the hook that this run is has besides the tool; where nobody says, what its environment says
    card      the card of these words, or None; `reason` says why the hot path did not take it
    trusted   whether `home` exists and may be used; `trouble` is the StateError where it may not
    """

    __slots__ = (
        "beside",
        "card",
        "configs",
        "cwd",
        "environ",
        "home",
        "interpreter",
        "key",
        "origin",
        "reason",
        "trouble",
        "trusted",
        "words",
    )

    def __init__(self, words: "Words", environ: "dict[str, str]", origin: str, beside: "Sequence[str] | None" = None) -> None:
        self.words = words
        self.environ = environ
        self.origin = origin
        self.cwd = os.getcwd()
        self.configs = surroundings.configs(self.cwd)
        self.interpreter = surroundings.interpreter(words, environ, self.cwd)
        if beside is None:
            beside = _listed_for_hook() if settings.is_on(environ.get("PRE_COMMIT")) else ()
        self.beside = beside
        self.key = request.card_key(words, environ, self.cwd, self.configs, self.interpreter, self.beside)
        self.home = paths.home(environ)
        self.card: Card | None = None
        self.reason = ""
        self.trusted = False
        self.trouble: StateError | None = None

    @property
    def card_path(self) -> str:
        """The file of this scene's card."""
        return f"{self.home}/cards/{request.card_name(self.words, self.key)}"

    @property
    def loud(self) -> "dict[str, str]":
        """The environment that messages obey: `-q` is LASTGOOD_QUIET for this run."""
        return {**self.environ, "LASTGOOD_QUIET": "1"} if self.words.quiet else self.environ


def look(argv: "list[str]", environ: "dict[str, str]", beside: "Sequence[str] | None" = None) -> Scene:
    """Read the words and look round. Changes to the directory that the words name, as uvx would.

    For a hook that lists `beside`; without that, for the one that this process may be.

    Raises Handover, UsageError.
    """
    words = request.parse(request.kept_offline(argv) if environ.get(settings.OFFLINE) else argv)
    request.refuse_environment(words, environ)
    place = request.directory(words, environ)
    project = request.project(words, environ)
    if project and not os.path.isdir(project):
        raise request.Handover("the project directory does not exist", words)
    origin = ""
    try:
        origin = os.getcwd()
        if place:
            os.chdir(place)
        return Scene(words, environ, origin, beside)
    except OSError as error:
        refusal = request.Handover(f"the working directory cannot be used: {error.strerror}", words)
        refusal.origin = origin
        raise refusal from error


def find_card(scene: Scene) -> "Card | None":
    """The card of these words, where there is one, it is whole, it is theirs, and no file that it depends on has changed."""
    try:
        scene.trusted = paths.trusted(scene.home)
    except StateError as error:
        scene.trouble = error
        return None
    if not scene.trusted:
        scene.reason = "nothing is kept yet"
        return None
    try:
        descriptor = os.open(scene.card_path, os.O_RDONLY)
    except OSError:
        scene.reason = "there is no launch card for these words"
        return None
    try:
        card = cards.read(os.read(descriptor, 1 << 20).decode("utf-8", "surrogateescape"))
    except (Damage, OSError) as error:
        scene.reason = f"the launch card cannot be used: {error}"
        return None
    finally:
        os.close(descriptor)
    if card.key != scene.key:
        scene.reason = "the launch card is another request's"
        return None
    if not surroundings.unchanged(card.stamps):
        scene.reason = "a file that decides the request, or its record, has changed"
        return None
    return card


def _listed_for_hook() -> "tuple[str, ...]":
    from lastgood import hookenv  # only a hook has such an environment

    return hookenv.listed()


def is_offline(scene: Scene) -> bool:
    """Whether uv is told to ask nobody."""
    offline = scene.words.offline
    return bool(offline or (offline is None and settings.is_on(scene.environ.get("UV_OFFLINE"))))


def mode_of(scene: Scene, otherwise: str) -> str:
    """The mode of this run: uv's own words for it win, then lastgood's flag, then `otherwise` (card or configuration)."""
    if is_offline(scene):
        return "strict-cache"
    words = scene.words
    if words.fresh:
        return "strict-latest"
    return words.flags.get("mode") or otherwise
