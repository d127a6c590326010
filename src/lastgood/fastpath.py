"""The hot path of `lastgood run`: two small files read, then `exec`. Anything it is not sure about goes to `lastgood.run`.

Imports no more than os, sys, time, zlib and their like; import-linter and a test keep it so. What only a run with something to
say needs (breaker, notices, messages) is imported there: together they take 0.6 ms of 3.
"""

import os
import sys
import time

from lastgood import launch, policy, request, settings
from lastgood import scene as scenes
from lastgood.errors import LastgoodError, LaunchFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastgood.breaker import Breaker
    from lastgood.card import Card
    from lastgood.scene import Scene


def main(argv: "list[str]") -> int:
    """Run `lastgood run ARGV`. Returns only where no tool was started: the exit status then."""
    launch.open_standard_descriptors()
    launch.wait_for_children()
    environ = settings.environment()
    origin = _here()
    launch.set_aside_standard_error(environ)
    looked: list[Scene] = []
    try:
        return _run(argv, environ, looked)
    except LastgoodError as error:
        from lastgood import notices

        notices.tell(error, argv, environ)
        return error.status
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # noqa: BLE001 (a bug of lastgood's must not keep a tool from starting)
        _trace(error, environ)
        for scene in looked:
            _start_kept(scene, error)
        return _own_bug(error, argv, environ, origin)


def _here() -> str:
    """The working directory; "" where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _run(argv: "list[str]", environ: "dict[str, str]", looked: "list[Scene]") -> int:
    """As `main`; the scene goes into `looked` as soon as it is known what is kept."""
    try:
        scene = scenes.look(argv, environ)
    except request.Handover as refusal:
        _finish_start()
        from lastgood import run

        return run.hand_over(refusal, argv, environ)
    scene.card = scenes.find_card(scene)
    if scene.card is not None and _may_be_a_file(scene):
        scene.card = None  # or a stale one would be started without being judged
    looked.append(scene)
    if scene.card is not None:
        start_at_once(scene, scene.card, time.time())
    _finish_start()
    came = ""
    if scene.card is not None:
        from lastgood import stale

        came = stale.ask(scene, scene.card)
    from lastgood import run

    return run.slowly(scene, came)


def _may_be_a_file(scene: "Scene") -> bool:
    """Whether a hook runner may have put a file where the tool belongs, which the slow way judges."""
    words = scene.words
    return settings.is_on(scene.environ.get("PRE_COMMIT")) and os.path.isfile(words.target) and words.value("--from") is None


def _finish_start() -> None:
    """Do what `python -S` left out, which the shim uses: what is not hot may import what only `site` finds."""
    if sys.flags.no_site and "site" not in sys.modules:
        import site

        site.main()


def start_at_once(scene: "Scene", card: "Card", now: float) -> None:
    """Start the tool where the card allows it. Returns where something else has to happen first."""
    mode = scenes.mode_of(scene, card.mode)
    age = now - card.asked
    down = None
    if mode.startswith("prefer") and not policy.is_fresh(age, card.max_age):
        from lastgood import breaker

        down = breaker.first_open(scene.home, card.hosts.split(), now, card.fallback_on.split())
    step = policy.decide(card, mode, now, policy.OPEN if down else policy.CLOSED)
    if step not in (policy.RUN, policy.RUN_OPEN):
        return
    if card.notice or step == policy.RUN_OPEN:
        _say(scene, card, down if step == policy.RUN_OPEN else None, now)
    try:
        launch.tool(scene.home, card, scene.words.args, scene.environ)
    except LaunchFailed as error:
        scene.reason = str(error)
        scene.card = None


def _say(scene: "Scene", card: "Card", down: "Breaker | None", now: float) -> None:
    """Say what waits to be said, and that a host is down."""
    from lastgood import notices

    if card.notice:
        notices.say_waiting(scene, card)
    if down is not None:
        notices.say_open(scene, card, down, now)


def _interrupted() -> int:
    """End as an interrupted program does: by the signal itself, so that a shell loop stops, too."""
    launch.die_interrupted()
    return 130


def _trace(error: Exception, environ: "dict[str, str]") -> None:
    if environ.get(settings.TRACE):
        import traceback

        traceback.print_exception(error)


def _start_kept(scene: "Scene", error: Exception) -> None:
    """Start what is kept after a bug, where the mode lets it stand in; returns where plain uvx has to do.

    Nothing has been started before: whatever starts the tool replaces this process.
    """
    card, now = scene.card, time.time()
    try:
        if card is None or not policy.stands_in(card, scenes.mode_of(scene, card.mode), now, falls_back=True):
            return
        launch.intact(scene.home, card)
        if not launch.provides(card, scene.environ, scene.home):
            return
        from lastgood import messages

        then = f", running `{card.tool}` {card.version}, which is kept"
        messages.say("warning", messages.own_bug(error, then), scene.loud)
        launch.tool(scene.home, card, scene.words.args, scene.environ)
    except Exception:  # noqa: BLE001 (the bug may be there)
        return


def _own_bug(error: Exception, argv: "list[str]", environ: "dict[str, str]", origin: str) -> int:
    try:
        from lastgood import messages, run
    except Exception:  # noqa: BLE001 (the bug may be there)
        from lastgood import lastresort

        return lastresort.become_uvx(argv, error, origin)
    messages.say("warning", messages.own_bug(error), environ)
    return run.plainly(argv, environ, origin)
