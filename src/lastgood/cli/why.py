"""`lastgood why`: what `run` would do with the same words, and from what. Starts nothing, asks nothing."""

import argparse
import shlex
import sys
import time

from lastgood import breaker, identity, messages, paths, policy, request, uv
from lastgood import record as records
from lastgood import scene as scenes
from lastgood.errors import Damage, NoUvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastgood.identity import Request
    from lastgood.record import Record
    from lastgood.scene import Scene

_STEPS = {
    policy.RUN: "start what is kept",
    policy.RUN_OPEN: "start what is kept and say that the index is down",
    policy.WAIT: "ask the index, wait at most `patience`, then start the best there is",
    policy.BEHIND: "start what is kept and ask the index behind it",
    policy.REFRESH: "ask the index first, with uv's progress shown",
    policy.OFFLINE: "look only into uv's own cache",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words of this verb."""
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="WORDS", help="The words after `lastgood run`")


def main(given: argparse.Namespace, environ: "dict[str, str]") -> int:
    """Explain."""
    out = sys.stdout.write
    try:
        scene = scenes.look(given.words, environ)
        made = identity.identify(scene)
    except request.Handover as refusal:
        out(f"decision   plain uvx, untouched: {refusal.reason}\n")
        return 0
    out(f"request    {made.source}" + (f" (command `{made.command}`)" if made.searched else "") + "\n")
    for name in ("mode", "max-age", "patience", "stale-max", "fallback-on", "cooldown"):
        text = made.configuration.text(name)
        if text:
            out(f"  {name:<12} {text}  ({made.configuration.where(name)})\n")
    for title, pairs in (("option", made.fields["options"]), ("variable", made.fields["variables"])):
        for name, value in pairs:
            out(f"  {title:<12} {name}{'=' + value if value else ''}\n")
    out(f"  interpreter  {made.fields['interpreter'] or 'as asked for'}\n")
    record = _record(scene, made)
    _explain(scene, made, record)
    try:
        found = uv.find(environ)
        call = [*found.uvx, *made.options, "--from=" + made.source]
        out(f"uv         {request.without_credentials(shlex.join(call))} -- …  (found: {found.found})\n")
    except NoUvError as error:
        out(f"uv         {error.message}\n")
    return 0


def _record(scene: "Scene", made: "Request") -> "Record | None":
    out = sys.stdout.write
    try:
        record = records.load(scene.home, made.id) if paths.trusted(scene.home) else None
    except Damage as error:
        out(f"record     {made.id}: damaged ({error}); the next run rebuilds it\n")
        return None
    except records.NewerFormat as error:
        out(f"record     {made.id}: written by a newer lastgood (format {error.args[0]}); `run` uses plain uvx\n")
        return None
    if record is None:
        out(f"record     none ({made.id})\n")
    else:
        current = record.generation()
        checked = f"{messages.ago(time.time() - record.asked)} ago" if record.asked else "at an unknown time"
        out(f"record     {made.id}: {current.version if current else 'nothing'}, index last answered {checked}\n")
        for one in record.refused:
            out(f"  refused      {one['version'] or 'as it was resolved'}: {one['error']}\n")
    _nearest(scene, made)
    return record


def _nearest(scene: "Scene", made: "Request") -> None:
    shown = 0
    for identity_ in records.identities(scene.home, made.slug + "-"):
        if identity_ == made.id or shown >= 3:  # noqa: PLR2004 (more would not help anybody)
            continue
        try:
            other = records.load(scene.home, identity_)
        except (Damage, records.NewerFormat, OSError):
            continue
        if other is not None and other.generations:
            differs = [name for name, value in made.fields.items() if other.request.get(name) != value]
            sys.stdout.write(f"  near         {identity_}: differs in {', '.join(differs)}\n")
            shown += 1


def _explain(scene: "Scene", made: "Request", record: "Record | None") -> None:
    out = sys.stdout.write
    now = time.time()
    mode = scenes.mode_of(scene, made.mode)
    kept = record.usable(scene.home) if record is not None else None
    card = None
    if record is not None and kept is not None:
        from lastgood import card as cards

        card = cards.Card()
        card.asked, card.max_age, card.stale_max, card.held = record.asked, made.max_age, made.stale_max, int(record.held)
    hosts = [*(record.hosts if record else []), *made.hosts, made.id]
    down = breaker.first_open(scene.home, hosts, now)
    step = policy.decide(card, mode, now, policy.OPEN if down else policy.CLOSED)
    if mode != made.mode:
        out(f"mode       {mode}, because the command line or UV_OFFLINE says so\n")
    if down is not None:
        out(f"breaker    {breaker.shown(down.host) or 'the index'} is down since {messages.clock(down.since)} ({down.reason})\n")
    scene.card = scenes.find_card(scene)
    out(f"decision   {_STEPS[step]}\n")
    if kept is not None:
        out(f"  kept         {kept.version} on Python {kept.python}, generation {kept.id}\n")
        out(f"  card         {'found, nothing it depends on has changed' if scene.card is not None else scene.reason}\n")
    out(f"  in an outage {_rung(kept is not None, mode)}\n")


def _rung(kept: bool, mode: str) -> str:  # noqa: FBT001
    if mode.startswith("strict-latest"):
        return "uvx's own error: the mode allows no fallback"
    if kept:
        return "this request's good generation"
    return "another request's generation that satisfies this one, else uv's cache, else lastgood's own environment"
