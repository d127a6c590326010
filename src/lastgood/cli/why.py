"""`lastgood why`: what `run` would do with the same words, and from what. Starts nothing, asks nothing."""

import argparse
import shlex
import time

from lastgood import (
    breaker,
    differences,
    identity,
    ladder,
    manage,
    messages,
    mistakes,
    paths,
    policy,
    project,
    refresh,
    rehearsal,
    request,
    uv,
)
from lastgood import record as records
from lastgood import scene as scenes
from lastgood.cli import lines
from lastgood.errors import Damage, NoUvError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastgood.card import Card
    from lastgood.identity import Request
    from lastgood.record import Generation, Record
    from lastgood.scene import Scene

_STEPS = {
    policy.RUN: "start what is kept",
    policy.RUN_OPEN: "start what is kept and say that the index is down",
    policy.WAIT: "ask the index, wait at most `patience`, then start the best there is",
    policy.BEHIND: "start what is kept and ask the index behind it",
    policy.REFRESH: "ask the index first, with uv's progress shown",
    policy.OFFLINE: "look only into uv's own cache",
}
_PATIENT = f"ask the index and wait for its answer: {rehearsal.NO_FALLBACK}"


_NEAREST = 3
"""How many records of other requests are named: more would not help anybody."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words of this verb."""
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="WORDS", help="The words after `lastgood run`")


def main(given: argparse.Namespace, environ: "dict[str, str]") -> int:
    """Explain."""
    if given.words in ([], ["--"]):
        raise UsageError("no tool is named", "run `lastgood why TOOL`")
    try:
        scene = scenes.look(given.words, environ)
        made = identity.identify(scene)
    except request.Handover as refusal:
        mistakes.refuse_nowhere(refusal)
        lines.say(f"decision   plain uvx, untouched: {refusal.reason}")
        return 0
    _tell_request(scene, made)
    try:
        record = _record(scene, made)
    except records.NewerFormat as newer:
        lines.say(f"record     {made.id}: written by a newer lastgood (format {newer.args[0]}); `run` uses plain uvx")
        lines.say("decision   plain uvx, until the record is moved away or lastgood is newer")
        return 0
    _explain(scene, made, record)
    try:
        found = uv.find(environ)
        call = [*found.uvx, *made.options, "--from=" + made.source]
        lines.say(f"uv         {shlex.join(map(request.public_word, call))} -- …  (found: {found.found})")
    except NoUvError as error:
        lines.say(f"uv         {error.message}")
    return 0


def _tell_request(scene: "Scene", made: "Request") -> None:
    """What is asked for, and where each part of it comes from."""
    lines.say(f"request    {made.source}" + (f" (command `{made.command}`)" if made.searched else ""))
    for name in ("mode", "max-age", "patience", "stale-max", "fallback-on", "cooldown"):
        text = made.configuration.text(name)
        if name == "mode" and (asked := _asked(scene)):
            lines.say(f"  {name:<12} {scenes.mode_of(scene, text)}  ({asked})")
        elif text:
            lines.say(f"  {name:<12} {text}  ({made.configuration.where(name)}{_line(made.configuration.origins.get(name))})")
    if made.configuration.entry is not None:
        lines.say(f"  entry        {made.configuration.entry.where}{_line(made.configuration.entry.origin)}")
    for title, pairs in (("option", made.fields["options"]), ("variable", made.fields["variables"])):
        for name, value in pairs:
            spelt = f"{name}={value}" if value else name
            lines.say(f"  {title:<12} {spelt}{_of_table(spelt, made)}")
    lines.say(f"  interpreter  {made.fields['interpreter'] or 'as asked for'}")


def _line(origin: "tuple[str, tuple[str, ...]] | None") -> str:
    """`:LINE` of what a file says; nothing for what none says."""
    line = project.line_of(*origin) if origin is not None else 0
    return f":{line}" if line else ""


def _asked(scene: "Scene") -> str:
    """What chooses the mode of this run alone: an option as it was given, or uv's variable; "" for neither."""
    words = scene.words
    if not (scenes.is_offline(scene) or words.fresh):
        return words.mode_word
    kind = "offline" if scenes.is_offline(scene) else "fresh"
    if not words.has(kind):
        return "UV_OFFLINE"
    taken_back = {name.replace("--no-", "--", 1) for name, _, known in words.options if known == "stale"}
    names = [name for name, _, known in words.options if known == kind]
    name = next((name for name in reversed(names) if name not in taken_back), names[-1])
    given = (word.partition("=")[0] for word in words.plain[: words.cut])
    return next((word for word in given if request.every_option().get(word, ("",))[0] == name), name)


def _of_table(option: str, made: "Request") -> str:
    if option not in made.extra:
        return ""
    return "  (`cooldown`)" if option.startswith("--exclude-newer") else "  (the entry)"


def _record(scene: "Scene", made: "Request") -> "Record | None":
    """The record, or what the next run would rebuild it as. Raises NewerFormat."""
    said, record = "none", None
    try:
        record = records.load(scene.home, made.id) if paths.trusted(scene.home) else None
    except Damage as error:
        said = f"damaged ({error}); the next run rebuilds it"
    if record is not None:
        current = record.generation()
        checked = messages.when(time.time() - record.asked)
        said = f"{current.version if current else 'nothing'}, index last answered {checked}"
    else:
        record = records.rebuild(scene.home, made.id, made.slug)
        if record is not None and said == "none":
            said = "gone; the next run rebuilds it"
    lines.say(f"record     none ({made.id})" if said == "none" else f"record     {made.id}: {said}")
    if record is not None and record.held:
        undo = f"lastgood unhold {shlex.quote(manage.named(record))}"
        lines.say(f"  held         no refresh replaces it; `{undo}` lets the next one")
    for one in record.refused if record is not None else ():
        lines.say(f"  refused      {one['version'] or 'as it was resolved'}: {one['error']}")
    _nearest(scene, made)
    return record


def _nearest(scene: "Scene", made: "Request") -> None:
    """What is kept of the same package for other requests, those that differ least first, and in what each differs."""
    mine = made.fields["package"]
    others = [
        one for one in manage.all_records(scene.home, made.slug + "-") if one.id != made.id and one.request.get("package") == mine
    ]
    found = sorted(((differences.between(made.fields, one.request), one) for one in others), key=lambda pair: len(pair[0]))
    for differs, one in found[:_NEAREST]:
        current = one.generation()
        lines.say(f"  near         {current.version if current else 'nothing'} of {one.id}, which differs in")
        for phrase in differs:
            lines.say(f"  {'':<12} - {phrase}")


def _explain(scene: "Scene", made: "Request", record: "Record | None") -> None:
    now = time.time()
    mode = scenes.mode_of(scene, made.mode)
    kept = record.runs(scene.home) if record is not None else None
    card = None
    if record is not None and kept is not None:
        from lastgood import card as cards

        card = cards.Card()
        card.asked, card.held = record.standing_of(kept)  # as a run has it
        card.max_age, card.stale_max = made.max_age, made.stale_max
    hosts = [*(record.hosts if record else []), *made.hosts, made.id]
    down = breaker.first_open(scene.home, hosts, now, made.fallback_on)
    step = policy.decide(card, mode, now, policy.OPEN if down else policy.CLOSED)
    if down is not None:
        lines.say(
            f"breaker    {breaker.shown(down.host) or 'the index'} is down since {messages.clock(down.since)} ({down.reason})"
        )
    scene.card = scenes.find_card(scene)
    if kept is not None and not _provides(scene, made, kept):
        lines.say(f"decision   plain uvx: what is kept, {kept.version}, provides no `{made.command}`")
        return
    if kept is None:
        lines.say(f"decision   {_first(scene, made, step, mode, down=down is not None)}")
    else:
        lines.say(f"decision   {_PATIENT if step == policy.WAIT and not made.falls_back else _STEPS[step]}")
    current = record.generation() if record is not None else None
    trouble = current.trouble(scene.home, made.tool) if current is not None else ""
    if current is not None and trouble:
        lines.say(f"  lost         {current.version} cannot run: {trouble}")
    if kept is not None:
        lines.say(f"  kept         {kept.version} on Python {kept.python}, generation {kept.id}")
        lines.say(f"  card         {'found, nothing it depends on has changed' if scene.card is not None else scene.reason}")
    lines.say(f"  in an outage {_rung(scene, made, card, kept, mode)}")


def _provides(scene: "Scene", made: "Request", kept: "Generation") -> bool:
    place = f"{scene.home}/generations/{kept.id}"
    return not made.command or refresh.provided(place, made, scene.environ) is not None


def _first(scene: "Scene", made: "Request", step: str, mode: str, *, down: bool) -> str:
    """The decision where nothing is kept for exactly this request."""
    spare = mode.startswith("prefer") and (ladder.own_program(made) is not None or bool(ladder.near(scene.home, made)))
    if step != policy.REFRESH or not spare or not made.falls_back:
        return _STEPS[step]
    return (
        "start what stands in, since the index is down"
        if down
        else "ask the index, wait at most `patience`, else start what stands in"
    )


def _rung(scene: "Scene", made: "Request", card: "Card | None", kept: "Generation | None", mode: str) -> str:
    """What an outage would run; uv's own cache is not asked, only named."""
    if mode == "strict-latest":
        return "uvx's own error: the mode allows no fallback"
    if card is not None and kept is not None:
        now = time.time()
        if policy.stands_in(card, mode, now, falls_back=made.falls_back):
            return f"this request's good generation, {kept.version}"
        if policy.stands_in(card, mode, now, falls_back=True):
            return f"uvx's own error: {rehearsal.NO_FALLBACK}"
        return f"uvx's own error: {kept.version} is older than `stale-max` allows"
    if mode.startswith("prefer") and not made.falls_back:
        return f"uvx's own error: {rehearsal.NO_FALLBACK}"
    if mode.startswith("prefer"):
        for record, generation in ladder.near(scene.home, made):
            return f"{generation.version}, kept for another request ({record.id})"
    own = ladder.own_program(made)
    last = f"{own[1]} in lastgood's own environment" if own is not None else "uvx's own error"
    return f"what uv's own cache still resolves to, else {last}"
