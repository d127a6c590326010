"""What people do to records: find those of a tool, roll back, warm. Each change is made under the record's lock, or not at all."""

import contextlib
import os
import shlex
import time

from lastgood import breaker, differences, generations, history, locks, paths, policy, refresh
from lastgood import record as records
from lastgood import scene as scenes
from lastgood.errors import Damage, LastgoodError, NotNow, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lastgood.identity import Request
    from lastgood.record import Generation, Record
    from lastgood.refresh import Outcome
    from lastgood.scene import Scene

_LEASE_SECONDS = 60.0  # a refresh behind a tool may be under way: whoever warms would rather wait for it than hear of it


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


def all_records(home: str, prefix: str = "") -> "Iterator[Record]":
    """Every record that keeps something, sorted by id; for a damaged one, what it would be rebuilt as."""
    for identity in records.identities(home, prefix):
        try:
            found = records.load(home, identity)
        except Damage:
            found = records.rebuild(home, identity, records.slug_of(identity))
        except (records.NewerFormat, OSError):
            continue
        if found is not None and found.generations:
            yield found


def check_name(tool: str) -> None:
    """Raise UsageError where `tool` can be nobody's name: a path, or a sign."""
    word = tool.strip()
    is_path = "://" not in word and ("/" in word or "\\" in word)
    if is_path or not (word[:1].isalnum() or word[:1] == "_"):
        raise UsageError(f"`{tool}` is no name of a tool")


def of_tool(home: str, tool: str, environ: "dict[str, str]") -> "list[Record]":
    """The record that `lastgood run TOOL` uses here; where there is none, every record of that tool. Raises Nothing, UsageError."""
    from lastgood import identity, request

    check_name(tool)
    try:
        made = identity.identify(scenes.look([tool], environ))
    except request.Handover as refusal:
        raise Nothing(f"nothing is ever kept of `{tool}`: {refusal.reason}") from refusal
    found = [one for one in all_records(home, made.slug + "-") if one.id == made.id]
    found = found or [one for one in all_records(home) if one.tool == tool or one.request.get("package") == made.target.name]
    if not found:
        raise Nothing(f"no good `{tool}` is kept", f"run `lastgood warm {shlex.quote(tool)}` while the index is up")
    return found


def roll_back(home: str, record: "Record", to: str = "") -> "tuple[Generation, Generation]":
    """Make an earlier generation the current one; (the one before, the one now). It stays so until a newer release is good.

    Atomic and without network. Raises Nothing where no earlier generation is kept, LastgoodError where the record is locked.
    """
    with records.exclusive(home, record.id):
        fresh, _ = records.recover(home, record.id, records.slug_of(record.id))
        if fresh is None or fresh.generation() is None:
            raise Nothing(f"no good `{record.tool}` is kept")
        before = fresh.generation()
        assert before is not None
        now = _earlier(home, fresh, before, to)
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


def hold(home: str, record: "Record", *, held: bool) -> "tuple[Generation, bool]":
    """Keep refreshes from replacing what runs, or let them again; what runs, and whether that was not so already.

    Raises as `roll_back` does.
    """
    with records.exclusive(home, record.id):
        fresh, _ = records.recover(home, record.id, records.slug_of(record.id))
        current = fresh.generation() if fresh is not None else None
        if fresh is None or current is None:
            raise Nothing(f"no good `{record.tool}` is kept")
        sent_back = any(one["by"] == "rollback" for one in fresh.refused)
        so_already = fresh.held == held and (held or not sent_back)
        if so_already and os.path.exists(records.file_of(home, fresh.id)):  # else it has just been rebuilt, and is to be kept
            return current, False
        fresh.held = held
        if not held:
            fresh.refused = [one for one in fresh.refused if one["by"] != "rollback"]
        records.save(home, fresh)
        if not so_already:
            history.note(home, "hold" if held else "unhold", tool=fresh.tool, record=fresh.id, version=current.version)
        return current, not so_already


def _earlier(home: str, record: "Record", before: "Generation", to: str) -> "Generation":
    kept = [one for one in record.generations if one.id != before.id and _can_run(home, one)]
    others = ", ".join(f"`--to {one.version}`" for one in kept)
    sent_back = [one for one in record.generations if any(one.digest == old["digest"] for old in record.refused)]
    kept = [one for one in kept if (one.version == to if to else one.kept <= before.kept and one not in sent_back)]
    if not kept:
        what = f"no `{record.tool}` {to} is kept" if to else f"nothing older than `{record.tool}` {before.version} is kept"
        if to == before.version:
            what = f"`{record.tool}` {to} is what runs now"
        raise Nothing(what, f"what is: {others}" if others else "")
    return kept[0]


def _can_run(home: str, one: "Generation") -> bool:
    """Whether a generation stands, with the interpreter and the programs that it was kept with."""
    place = f"{home}/generations/{one.id}"
    try:
        programs = all(os.path.exists(f"{place}/{file}") for _, file, _ in one.commands.values() if file)
        return programs and generations.interpreter_stamp(place) == one.base
    except OSError:
        return False


@contextlib.contextmanager
def leased(home: str, identity: str) -> "Iterator[None]":
    """Hold the lease of a record for a refresh. Raises LastgoodError where another refresh does not end within a minute."""
    try:
        with locks.hold(records.lock_of(home, identity), _LEASE_SECONDS):
            yield
    except locks.Busy as error:
        raise NotNow(f"another refresh of `{records.slug_of(identity)}` is under way", "try again when it has ended") from error
    except locks.LockTrouble as error:
        raise LastgoodError(str(error)) from error


def warm(
    words: "list[str]", environ: "dict[str, str]", beside: "Sequence[str]", *, shown: bool
) -> "tuple[str, Outcome, Record | None]":
    """Refresh what `lastgood run WORDS` would use, without running it: (tool, outcome, record).

    `beside` is what a hook lists beside the tool, here and below.
    Raises Handover for what nothing is kept of, LastgoodError where the record is locked.
    """
    from lastgood import identity

    scene = scenes.look(words, environ, beside)
    made = identity.identify(scene)
    open_home(scene.home)
    with leased(scene.home, made.id):
        job = refresh.Job(scene, made)
        job.shown, job.heard, job.offline = shown, True, scenes.is_offline(scene)
        job.look_up()
        job.patience = _patience_of_warm(job, made)
        outcome = refresh.refresh(job)
        return made.tool, outcome, job.record


def _patience_of_warm(job: "refresh.Job", made: "Request") -> "float | None":
    """How long to wait for an index: a host that is known to be down is asked once more, but briefly; else as uv does.

    Where something is kept nobody needs uv's three retries, which take two minutes of a silent index.
    """
    hosts = [*(job.record.hosts if job.record is not None else []), *made.hosts, made.id]
    if breaker.first_open(job.home, hosts, time.time(), made.fallback_on) is not None:
        return made.patience
    return refresh.PATIENT if job.record is not None and job.record.usable(job.home) else None


def write_card(words: "list[str]", environ: "dict[str, str]", beside: "Sequence[str]") -> None:
    """Make the first run of these words a hot one, where their record has just been refreshed for others.

    Raises Handover, LastgoodError.
    """
    from lastgood import identity

    scene = scenes.look(words, environ, beside)
    made = identity.identify(scene)
    with leased(scene.home, made.id):
        job = refresh.Job(scene, made)
        job.look_up()
        refresh.write_card(job)


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
            job.patience = made.patience if job.record is not None and job.record.usable(scene.home) else None
            outcome = refresh.refresh(job)
    except (locks.Busy, locks.LockTrouble):
        return None
    if outcome.kind == refresh.NEW and job.record is not None:
        upkeep.after_refresh(scene.home, job.record.current)
    return outcome


def _is_due(scene: "Scene", made: "Request") -> bool:
    now = time.time()
    record = records.recover(scene.home, made.id, made.slug)[0]
    if scenes.mode_of(scene, made.mode) == "strict-cache":
        return False
    if record is not None and record.usable(scene.home) and (record.held or policy.is_fresh(now - record.asked, made.max_age)):
        return False
    hosts = [*(record.hosts if record is not None else []), *made.hosts, made.id]
    return breaker.first_open(scene.home, hosts, now, made.fallback_on) is None
