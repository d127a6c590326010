"""What people do to records: find those of a tool, roll back, warm. Each change is made under the record's lock, or not at all."""

import contextlib
import os
import shlex
import time

from lastgood import breaker, differences, history, locks, messages, paths, policy, refresh, settings
from lastgood import record as records
from lastgood import scene as scenes
from lastgood.errors import Damage, LastgoodError, NotNow, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lastgood.identity import Request
    from lastgood.record import Generation, Record
    from lastgood.refresh import Outcome
    from lastgood.request import Handover
    from lastgood.scene import Scene
    from lastgood.targets import Target

_LEASE_SECONDS = 60.0  # a refresh behind a tool may be under way: whoever warms would rather wait for it than hear of it

_SILENT = 1.0  # seconds of waiting that need no explanation


class Nothing(LastgoodError):  # noqa: N818 (what was found)
    """There is no record, or no generation, of the kind that was asked for."""

    status = 1


def open_home(home: str) -> None:
    """Make the home and its parts. Raises LastgoodError where that cannot be done."""
    try:
        for part in ("", *paths.PARTS):
            os.makedirs(os.path.join(home, part), mode=0o700, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LastgoodError(
            f"`{home}` is not writable ({reason})", "set `LASTGOOD_HOME` to a directory that you can write to"
        ) from error
    paths.trusted(home)


def all_records(home: str, prefix: str = "", *, refused: bool = False) -> "Iterator[Record]":
    """Every record that keeps something, sorted by id; for a damaged one, what it would be rebuilt as.

    With `refused` also those of which nothing is known but a refused release.
    """
    for identity in records.identities(home, prefix):
        try:
            found = records.load(home, identity)
        except Damage:
            found = records.rebuild(home, identity, records.slug_of(identity))
        except (records.NewerFormat, OSError):
            continue
        if found is not None and (found.generations or (refused and found.refused)):
            yield found


def check_name(tool: str) -> None:
    """Raise UsageError where `tool` can be nobody's name: a path, or a sign."""
    word = tool.strip()
    is_path = "://" not in word and ("/" in word or "\\" in word)
    if is_path or not (word[:1].isalnum() or word[:1] == "_"):
        raise UsageError(f"`{tool}` is no name of a tool")


def of_tool(home: str, tool: str, environ: "dict[str, str]", *, refused: bool = False) -> "list[Record]":
    """The record that `lastgood run TOOL` uses here; where there is none, those that `of_words` finds. Raises Nothing, UsageError.

    With `refused` also those of which nothing is known but a refused release.
    """
    from lastgood import identity, request, targets

    check_name(tool)
    if paths.nowhere():
        return _from_nowhere(home, tool, refused=refused)
    try:
        wanted = targets.parse(tool)
        made = identity.identify(scenes.look([tool], environ))
    except request.Handover as refusal:
        raise never(tool, refusal) from refusal
    found = [one for one in all_records(home, made.id, refused=refused) if one.id == made.id]
    if not found:
        known = list(all_records(home, refused=True))
        found = of_words([one for one in known if one.generations or refused], wanted, made.target.name)
        late = newer(home, made.slug)
        if made.id in late or (late and not found):
            raise written_by_a_newer(made.tool, late)
        if not found:
            raise _nothing(tool, made.target.name, known)
    return found


def _from_nowhere(home: str, tool: str, *, refused: bool) -> "list[Record]":
    """As `of_tool`, where the working directory is gone, and with it what a run from here would ask for. Raises Nothing."""
    from lastgood import request, targets

    try:
        found = of_words(list(all_records(home, refused=refused)), targets.parse(tool))
    except request.Handover as refusal:
        raise never(tool, refusal) from refusal
    if not found:
        step = "the working directory is gone: change to one that is there"
        raise Nothing(f"no good `{request.without_credentials(tool)}` is kept", step)
    return found


def of_words(known: "Sequence[Record]", wanted: "Target", package: str = "") -> "list[Record]":
    """Those of `known` that are of the tool that is `wanted`, or of its `package`, by the normalised names of all their commands.

    Where versions are named: those of that very request, else those of which what runs fits.
    """
    from lastgood import request, targets

    names = {wanted.name or request.without_credentials(wanted.url), package} - {""}
    mine = [one for one in known if names & {one.request.get("package"), *map(targets.normalise, (one.tool, *one.commands()))}]
    if wanted.extras:
        mine = [one for one in mine if one.request.get("extras") == list(wanted.extras)]
    asked = _versions(wanted)
    if not asked:
        return mine
    same = [one for one in mine if _parts(one.request.get("specifier", "")) == _parts(asked)]
    return same or [one for one in mine if wanted.specifier and _fits(one, wanted.specifier)]


def is_kept(home: str, wanted: "Target") -> bool:
    """Whether something is kept for the very versions that a target names, and not only something that fits them.

    What is kept of other packages is looked at only where nothing is kept of the one that is called so.
    """
    asked = _parts(_versions(wanted))
    mine = [one for one in all_records(home, paths.slug(wanted.name) + "-") if one.request.get("package") == wanted.name]
    known = mine or list(all_records(home))
    return any(_parts(one.request.get("specifier", "")) == asked for one in of_words(known, wanted))


def _versions(wanted: "Target") -> str:
    """What a target says of versions, as the fields of a request have it."""
    from lastgood import request

    if wanted.kind != "registry":
        return request.without_credentials(wanted.text)
    return "@latest" if wanted.latest else wanted.specifier


def _parts(specifier: str) -> "set[str]":
    return {part.replace(" ", "") for part in specifier.split(",")}


def _fits(record: "Record", specifier: str) -> bool:
    """Whether what runs is a version that is asked for."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # only where versions are named
    from packaging.version import InvalidVersion

    current = record.generation()
    try:
        return current is not None and SpecifierSet(specifier).contains(current.version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def never(tool: str, refusal: "Handover") -> Nothing:
    """What is said of a tool that only plain uvx runs."""
    from lastgood.request import without_credentials

    return Nothing(f"nothing is ever kept of `{without_credentials(tool)}`: {without_credentials(refusal.reason)}")


def newer(home: str, slug: str = "") -> "dict[str, int]":
    """The records that a newer lastgood wrote, each with its format; with `slug` those of that tool alone."""
    found = {}
    for identity in records.identities(home, slug):
        if slug and records.slug_of(identity) != slug:
            continue  # that of another, whose name goes on
        try:
            records.load(home, identity)
        except records.NewerFormat as error:
            found[identity] = int(error.args[0])
        except (Damage, OSError):
            continue
    return found


def written_by_a_newer(tool: str, late: "dict[str, int]") -> Nothing:
    """What is said of a tool of which there are records of a newer format."""
    both = f"format {max(late.values())}, this one reads {records.FORMAT}"
    return Nothing(f"the record of `{tool}` was written by a newer lastgood ({both}); runs use plain `uvx`", "update lastgood")


def _nothing(tool: str, package: str, known: "Sequence[Record]") -> Nothing:
    """What is said where nothing is kept of a tool: what was refused, or what is kept that is not what was asked for."""
    from lastgood import request, targets

    wanted, shown = targets.parse(tool), request.without_credentials(tool)
    refused = [one for record in of_words(known, wanted, package) for one in record.refused if not record.generations]
    if refused:
        what = f"no good `{shown}` is kept: {refused[-1]['version'] or 'what was resolved'} was refused ({refused[-1]['error']})"
        return Nothing(what, f"run `lastgood history {shlex.quote(shown)}` for more")
    others = of_words(known, targets.parse(wanted.command), package) if wanted.command else []
    runs = sorted({current.version for one in others if (current := one.generation()) is not None})
    if runs:
        what = f"what is kept of `{wanted.command}` runs {' and '.join(runs)}, which is not `{shown}`"
        return Nothing(what, f"run `lastgood status {wanted.command}` to see all of it")
    return Nothing(f"no good `{shown}` is kept", f"run `lastgood warm {shlex.quote(shown)}` while the index is up")


def called(found: "Sequence[Record]") -> "list[str]":
    """What each of some records is called: the tool; where there are several, as `lastgood status` tells them apart."""
    if len(found) == 1:
        return [found[0].tool]
    return differences.told_apart([differences.label(one.tool, one.request) for one in found], [one.request for one in found])


def named(record: "Record") -> str:
    """What selects a record among those of its tool, where words can."""
    extras, specifier = ",".join(record.request.get("extras", ())), str(record.request.get("specifier", ""))
    return record.tool if "://" in specifier else record.tool + (f"[{extras}]" if extras else "") + specifier


def words_for(record: "Record", environ: "dict[str, str]") -> str:
    """The word that means this very record here, quoted for a shell; "" where none does: options or other settings led to it."""
    from lastgood import identity, request

    words = named(record)
    try:
        made = identity.identify(scenes.look([words], environ))
    except (request.Handover, LastgoodError):
        return ""
    return shlex.quote(words) if made.id == record.id else ""


def roll_back(
    home: str, record: "Record", to: str = "", called: str = "", *, forward: bool = True
) -> "tuple[Generation, Generation]":
    """Make an earlier generation the current one; (the one before, the one now). It stays so until a newer release is good.

    Atomic and without network. `called` is what an error calls the record, if not as the tool; `forward` says whether `to` may be
    what was sent back. Raises Nothing where no earlier generation is kept, LastgoodError where the record is locked.
    """
    with records.exclusive(home, record.id):
        fresh = _repaired(home, record.id)
        if fresh is None or fresh.generation() is None:
            raise Nothing(f"no good `{called or record.tool}` is kept")
        before = fresh.generation()
        assert before is not None
        now = _earlier(home, fresh, before, to, called or record.tool, forward=forward)
        fresh.refused = [old for old in fresh.refused if old["digest"] not in (before.digest, now.digest)]
        if now.kept <= before.kept:  # else somebody goes forward again, by `--to`
            version = before.version if before.version != now.version else ""
            one = {"version": version, "digest": before.digest, "error": "rolled back", "at": time.time(), "by": "rollback"}
            fresh.refused.append({**one, "check": ""})
        fresh.current = now.id
        records.save(home, fresh)
        moved = differences.moved(before.dists, now.dists)
        history.note(home, "rollback", tool=fresh.tool, record=fresh.id, version=now.version, before=before.version, changes=moved)
        return before, now


def _repaired(home: str, identity: str) -> "Record | None":
    """The record as it is, or as it is made anew where its file is damaged or gone, which is written down at once."""
    fresh, _ = records.repair(home, identity, records.slug_of(identity))
    if fresh is not None and fresh.stamp is None:
        records.save(home, fresh)
    return fresh


def hold(home: str, record: "Record", *, held: bool) -> "tuple[Generation, bool]":
    """Keep refreshes from replacing what runs, or let them again; what runs, and whether that was not so already.

    Raises as `roll_back` does.
    """
    with records.exclusive(home, record.id):
        fresh = _repaired(home, record.id)
        current = fresh.generation() if fresh is not None else None
        if fresh is None or current is None:
            raise Nothing(f"no good `{record.tool}` is kept")
        sent_back = any(one["by"] == "rollback" for one in fresh.refused)
        so_already = fresh.held == held and (held or not sent_back)
        if so_already:
            return current, False
        fresh.held = held
        if not held:
            fresh.refused = [one for one in fresh.refused if one["by"] != "rollback"]
        records.save(home, fresh)
        history.note(home, "hold" if held else "unhold", tool=fresh.tool, record=fresh.id, version=current.version)
        return current, True


def _earlier(home: str, record: "Record", before: "Generation", to: str, called: str, *, forward: bool) -> "Generation":
    kept = [one for one in record.generations if one.id != before.id and not one.troubles(home)]
    others = ", ".join(f"`--to {one.version}`" for one in kept)
    sent_back = [one for one in record.generations if any(one.digest == old["digest"] for old in record.refused)]
    if not (to and forward):
        kept = [one for one in kept if one not in sent_back]
    kept = [one for one in kept if (one.version == to if to else one.kept <= before.kept)]
    kept.sort(key=lambda one: one in sent_back)  # of one version more than one may be kept
    if not kept and to not in ("", before.version) and not forward and any(one.version == to for one in sent_back):
        raise Nothing(f"`{called}` {to} was sent back", f"`--to {to}` goes to it all the same")
    if not kept:
        what = f"no `{called}` {to} is kept" if to else f"nothing older than `{called}` {before.version} is kept"
        if to == before.version:
            what = f"`{called}` {to} is what runs now"
        raise Nothing(what, f"what is: {others}" if others else "")
    return kept[0]


@contextlib.contextmanager
def leased(home: str, identity: str, waiting: "Callable[[], None] | None" = None) -> "Iterator[None]":
    """Hold the lease of a record for a refresh. Raises LastgoodError where another refresh does not end within a minute.

    `waiting` is called where that takes longer than a moment.
    """
    try:
        with contextlib.ExitStack() as stack:
            _take_lease(stack, records.lock_of(home, identity), waiting)
            yield
    except locks.Busy as error:
        raise NotNow(f"another refresh of `{records.slug_of(identity)}` is under way", "try again when it has ended") from error
    except locks.LockTrouble as error:
        raise LastgoodError(str(error), error.step) from error


def _take_lease(stack: contextlib.ExitStack, path: str, waiting: "Callable[[], None] | None") -> None:
    if waiting is not None:
        try:
            stack.enter_context(locks.hold(path, _SILENT))
        except locks.Busy:
            waiting()
        else:
            return
    stack.enter_context(locks.hold(path, _LEASE_SECONDS))


def warm(
    words: "list[str]", environ: "dict[str, str]", beside: "Sequence[str]", *, shown: bool
) -> "tuple[Request, Outcome, Record | None]":
    """Refresh what `lastgood run WORDS` would use, without running it: (request, outcome, record). Whatever mode the words choose.

    `beside` is what a hook lists beside the tool, here and below.
    Raises Handover for what nothing is kept of, LastgoodError where the record is locked.
    """
    from lastgood import identity

    scene = scenes.look(words, environ, beside)
    made = identity.identify(scene)
    open_home(scene.home)

    def waiting() -> None:
        messages.say("", f"another process is refreshing `{made.tool}`; waiting for it", environ)

    with leased(scene.home, made.id, waiting if shown else None):
        job = refresh.Job(scene, made)
        job.shown, job.heard, job.offline = shown, True, _may_ask_nobody(scene)
        if not job.offline:
            job.options = [option for option in made.options if option != "--offline"]
        job.look_up()
        job.patience = _patience_of_warm(job, made)
        outcome = refresh.refresh(job)
        if job.offline and outcome.kind in (refresh.UNCHANGED, refresh.ANSWER):  # uv's cache alone says nothing about news
            outcome.kind, outcome.reason = refresh.LOCAL, "`UV_OFFLINE` or `--offline` forbids to ask"
        return made, outcome, job.record


def _may_ask_nobody(scene: "Scene") -> bool:
    """Whether the network is forbidden here. An `--offline` among the words, as a hook's, is about its runs and forbids nothing."""
    forbidden = scenes.is_offline(scene) and settings.is_on(scene.environ.get("UV_OFFLINE"))
    return forbidden or bool(scene.environ.get(settings.OFFLINE))


def _patience_of_warm(job: "refresh.Job", made: "Request") -> "float | None":
    """How long to wait for an index: a host that is known to be down is asked once more, but briefly; else as uv does.

    Where something is kept nobody needs uv's three retries, which take two minutes of a silent index.
    """
    hosts = [*(job.record.hosts if job.record is not None else []), *made.hosts, made.id]
    if breaker.first_open(job.home, hosts, time.time(), made.fallback_on) is not None:
        return made.patience
    return refresh.PATIENT if job.record is not None and job.record.runs(job.home) else None


def write_card(words: "list[str]", environ: "dict[str, str]", beside: "Sequence[str]") -> "Request":
    """Make the first run of these words a hot one, where their record has just been refreshed for others; what they ask for.

    Raises Handover, LastgoodError.
    """
    from lastgood import identity

    scene = scenes.look(words, environ, beside)
    made = identity.identify(scene)
    with leased(scene.home, made.id):
        job = refresh.Job(scene, made)
        job.look_up()
        refresh.write_card(job)
    return made


def freshen(words: "list[str]", environ: "dict[str, str]", beside: "Sequence[str]") -> "Outcome | None":
    """Refresh what `lastgood run WORDS` would use, for nobody who waits; None where there is nothing to do.

    What is fresh or held, forbids the network, waits for a host that is down, or is refreshed by another process stays as it is.
    Raises Handover, LastgoodError.
    """
    from lastgood import identity, upkeep

    scene = scenes.look(words, environ, beside)
    made = identity.identify(scene)
    if not _is_due(scene, made):
        return None
    try:
        with locks.claim(records.lock_of(scene.home, made.id)):
            job = refresh.Job(scene, made)
            job.look_up()
            job.patience = made.patience if job.record is not None and job.record.runs(scene.home) else None
            outcome = refresh.refresh(job)
    except (locks.Busy, locks.LockTrouble):
        return None
    upkeep.after_refresh(scene.home, refresh.new_of(job, outcome))
    return outcome


def _is_due(scene: "Scene", made: "Request") -> bool:
    now = time.time()
    record = records.look(scene.home, made.id, made.slug)
    if scenes.mode_of(scene, made.mode) == "strict-cache":
        return False
    stands = record is not None and record.runs(scene.home) and not record.lost(scene.home, made.command)
    if record is not None and stands and (record.held or policy.is_fresh(now - record.asked, made.max_age)):
        return False
    hosts = [*(record.hosts if record is not None else []), *made.hosts, made.id]
    return breaker.first_open(scene.home, hosts, now, made.fallback_on) is None
