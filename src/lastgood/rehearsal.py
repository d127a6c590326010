"""Would it run with no network? The rung of the ladder from which a run would start its tool. Starts no tool and asks nobody.

What uv's cache holds is checked as a refresh checks what it has built: that imports it.
"""

import contextlib
import os
import time

from lastgood import generations, identity, ladder, messages, policy, refresh, request, surroundings, targets
from lastgood import record as records
from lastgood import scene as scenes
from lastgood.errors import LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from lastgood.card import Card
    from lastgood.identity import Request
    from lastgood.refresh import Job
    from lastgood.request import Words
    from lastgood.targets import Target
    from lastgood.uv import Result

KEPT, NEAR, CACHE, OWN, INSTALLED, NOTHING = "kept", "near", "uv's cache", "own", "installed", "nothing"
NO_FALLBACK = "`fallback-on` does not name `unreachable`"
"""Why nothing stands in for an index that does not answer."""
INSTALLED_SAID = "is installed with `uv tool install`, which uvx prefers"


class Rung:
    """From where a tool would run: `name` is KEPT, NEAR, CACHE, OWN, INSTALLED or NOTHING, `said` what people are told.

    `version` is what would run, "" where that is not known. `record` names the request and `package` the tool's; "" where nothing
    is ever kept of it, as for `fields`, what is asked for. `warmable` says whether a refresh from here could change it, and
    `refusal` is the Handover where plain uvx runs, whoever starts it.
    """

    __slots__ = ("fields", "name", "package", "record", "refusal", "said", "tool", "version", "warmable")

    def __init__(self, tool: str, name: str, said: str, made: "Request | None" = None, *, version: str = "") -> None:
        self.tool = tool
        self.record = made.id if made is not None else ""
        self.package = made.target.name if made is not None else ""
        self.fields: dict[str, Any] = made.fields if made is not None else {}
        self.name = name
        self.said = said
        self.version = version
        self.warmable = True
        self.refusal: request.Handover | None = None


def rung(words: "Sequence[str]", environ: "dict[str, str]", beside: "Sequence[str]", *, own: bool = True) -> Rung:
    """The rung of `lastgood run WORDS` from here.

    `beside` are the additional dependencies of a hook; `own` says whether the run would happen in this very environment. Raises
    SettingError.
    """
    try:
        with contextlib.chdir(os.getcwd()):  # the words may lead elsewhere
            scene = scenes.look(list(words), environ, beside)
            made = identity.identify(scene)
            job = refresh.Job(scene, made)
            try:
                name, said, version = _find(job, beside, own=own)
                in_vain = name == NOTHING and _lacks_command(job)
            except records.NewerFormat:
                return _of_newer(made)
    except request.Handover as refusal:
        return _plain(refusal, environ)
    found = Rung(made.tool, name, said, made, version=version)
    mode = scenes.mode_of(scene, made.mode)
    falls_back = mode != "strict-latest" and (made.falls_back or mode != "prefer-latest")
    found.warmable = falls_back and not in_vain
    return found


def _lacks_command(job: "Job") -> bool:
    """Whether what is kept, and stands, has no such command: the same from the index would have none, either."""
    kept = job.record.generation() if job.record is not None else None
    if kept is None or not job.request.command or not generations.exists(job.home, kept.id):
        return False
    return refresh.provided(f"{job.home}/generations/{kept.id}", job.request, job.scene.environ) is None


def _of_newer(made: "Request") -> Rung:
    """What becomes of a request whose record a newer lastgood wrote: this one can neither read nor refresh it."""
    found = Rung(made.tool, NOTHING, "its record was written by a newer lastgood, so plain `uvx` runs: update lastgood", made)
    found.warmable = False
    return found


def _find(job: "Job", beside: "Sequence[str]", *, own: bool) -> "tuple[str, str, str]":
    """Name, words and version of the rung. Raises NewerFormat."""
    job.look_up()
    made = job.request
    mode = scenes.mode_of(job.scene, made.mode)
    if mode == "strict-latest":
        return NOTHING, "the mode is `strict-latest`, which allows no fallback", ""
    card, trouble = _kept(job)
    if card is not None:
        now = time.time()
        if policy.stands_in(card, mode, now, falls_back=made.falls_back):
            return KEPT, f"{card.version} is kept, last checked {messages.when(now - card.asked)}", card.version
        if not card.asked and made.falls_back:  # it came from uv's cache, and the index has never answered for it
            found = _lower(job, beside, own=own, prefer=mode.startswith("prefer"))
            if found is not None:
                return found
        why = NO_FALLBACK if policy.stands_in(card, mode, now, falls_back=True) else "it is older than `stale-max`"
        return NOTHING, f"{card.version} is kept, but {why}", ""
    prefer = mode.startswith("prefer")
    if prefer and not made.falls_back:
        return NOTHING, trouble or f"nothing that runs is kept, and {NO_FALLBACK}", ""
    found = _lower(job, beside, own=own, prefer=prefer)
    return found or (NOTHING, trouble or "nothing that runs is kept", "")


def _kept(job: "Job") -> "tuple[Card | None, str]":
    """The card of what is kept for the request itself, or why there is none."""
    found = refresh.standing(job)
    if found.lacking:
        return None, f"{found.lacking} is kept, but does not provide `{job.request.command}`"
    standing = [(one, trouble) for one, trouble in found.given_up if generations.exists(job.home, one.id)]
    return found.card, next((f"{one.version} is kept, but {trouble}" for one, trouble in standing), "")


def _lower(job: "Job", beside: "Sequence[str]", *, own: bool, prefer: bool) -> "tuple[str, str, str] | None":
    """The rungs below: the first that holds. What other requests have is for those that `prefer`."""
    near = ladder.near_card(job) if prefer else None
    if near is not None:
        return NEAR, f"{near[0].version}, {near[1]}", near[0].version
    cached = _cached(job)
    if cached is not None:
        return CACHE, "uv's own cache still resolves to it", cached
    if _is_beside(job.request, beside):
        return OWN, "it is one of the hook's `additional_dependencies`", ""
    program = ladder.own_program(job.request) if own else None
    return (OWN, f"{program[1]} is in the environment of lastgood", program[1]) if program is not None else None


def _cached(job: "Job") -> "str | None":
    """The version that `uvx --offline` would find; None for nothing, or what was refused or would be. It is not kept by asking."""
    job.offline = True
    found: list[str] = []
    try:
        finding = refresh.materialise(job, lambda result: found.extend(_good(job, result)))[1]
    except (OSError, LastgoodError):
        return None  # there is no uv to ask
    return found[0] if finding is None and found else None


def _good(job: "Job", result: "Result") -> "list[str]":
    """The version of what uv has built, where a refresh would take it; checked where it stands, while uv keeps it."""
    environment = generations.Environment(result.prefix)
    name = job.request.target.name or generations.direct_name(environment)
    version = environment.dists.get(name, "")
    if job.record is not None and job.record.refuses(environment.digest, version, "\t".join(job.request.check)) is not None:
        return []
    job.request.command = job.request.command or name
    kept = refresh.describe(result, environment, environment.root, version)
    try:
        refresh.check(job, environment.root, kept)
    except generations.Refused:
        return []
    return [version] if job.request.command in kept.commands else []


def _is_beside(made: "Request", beside: "Sequence[str]") -> bool:
    """Whether the environment of a hook will be what is asked for: the tool is listed, in no other version, and all beside it."""
    wanted = ladder.wanted_beside(made)
    if wanted is None or not set(wanted) <= set(beside) or any(name == "--python" for name, _ in made.fields["options"]):
        return False
    listed = [found for found in map(_requirement, beside) if found is not None and found.name == made.target.name]
    return any(not found.exact or ladder.satisfies(found.specifier.removeprefix("=="), made) for found in listed)


def _requirement(line: str) -> "Target | None":
    try:
        return targets.parse(line.strip())
    except request.Handover:
        return None


def _plain(refusal: request.Handover, environ: "dict[str, str]") -> Rung:
    """What becomes plain uvx: only an installed tool is known to need no network."""
    words = refusal.words
    source = (words.value("--from") or words.target) if words is not None else ""
    found = _requirement(source)
    if found is not None and isinstance(refusal, identity.Installed):
        beside = words.values("--with") if words is not None else []
        version = installed(environ, found, beside)
        if version is not None:
            return Rung(found.name, INSTALLED, f"{version} {INSTALLED_SAID}", version=version)
    plain = Rung(source, NOTHING, f"plain `uvx` runs: {refusal.reason}")
    plain.warmable = False
    plain.refusal = refusal
    return plain


def refused(words: "Sequence[str]", environ: "dict[str, str]") -> "request.Handover | None":
    """Why plain uvx runs for `lastgood run WORDS` from here, too; None where it does not, or where the settings are wrong."""
    try:
        with contextlib.chdir(os.getcwd()):  # the words may lead elsewhere
            identity.identify(scenes.look(list(words), environ, ()))
    except request.Handover as refusal:
        return refusal
    except LastgoodError:
        return None
    return None


def to_be_kept(step: str, refusal: "request.Handover | None") -> str:
    """The `step` that has something kept of a call of plain uvx, with what else it needs; where no step helps, why."""
    if refusal is None:
        return step
    words = refusal.words
    options = [name for name, _, kind in words.options if kind == "hand"] if words is not None and words.target else []
    lasting = _nameless(words) if words is not None and options else refusal.reason
    if lasting:
        return f"nothing can be kept of it ({lasting})"
    named = " and ".join(f"`{name}`" for name in dict.fromkeys(options))
    return f"leave out {named}, and {step}"


def _nameless(words: "Words") -> str:
    """Why a call names no package, whatever its options; "" where it does."""
    try:
        targets.parse((words.value("--from") or words.target).strip())
    except request.Handover as refusal:
        return refusal.reason
    return ""


def installed(environ: "dict[str, str]", wanted: "Target", beside: "Sequence[str]") -> "str | None":
    """The version that `uv tool install` has of a tool, as uvx would run it; None where it has none that is what is `wanted`."""
    receipt = surroundings.receipt(environ, wanted.name)
    if not wanted.name or wanted.latest or not os.path.exists(receipt):
        return None
    try:
        there = generations.installed(os.path.dirname(receipt))
    except (OSError, generations.NotRetainable):
        return None  # its receipt alone runs nothing
    asked = [wanted, *map(_requirement, beside)]
    fits = all(one is not None and ladder.allows(one, there.get(one.name, "")) for one in asked)
    return there.get(wanted.name) if fits else None
