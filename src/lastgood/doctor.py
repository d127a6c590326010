"""What is wrong, and what would help: the checks of `lastgood doctor` in their order.

Each check is a function that takes a Patient and gives Findings; most give one, those about tools one for each that ails. Looking
changes nothing, but for one empty file in uv's cache that is linked and removed at once. Mending is offered by a check, never done
by it.
"""

import functools
import os
import shlex
import tempfile
import time

from lastgood import card as cards
from lastgood import contents, generations, manage, mending, messages, neighbours, paths, surroundings, upkeep, uv
from lastgood import record as records
from lastgood.errors import Damage, LastgoodError
from lastgood.patient import OK, PROBLEM, WARNING, Finding, Patient, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lastgood.record import Record

_REMOTE = (
    "nfs",
    "cifs",
    "smb",
    "9p",
    "afs",
    "afp",
    "ceph",
    "gluster",
    "lustre",
    "gpfs",
    "beegfs",
    "fuse.",
    "vboxsf",
    "prl_fs",
    "webdav",
)
"""How the names of file systems start that are not on this machine's own disk, or may not lock or link as one would."""
_LITTLE, _TIGHT = 64 << 20, 1 << 30
_SHOWN_FILES = 3
_LATER = 300.0
"""Seconds by which a record may be ahead of the clock before it counts as coming from the future."""


def examine(environ: "dict[str, str]", *, deep: bool = False, fix: bool = False) -> "Iterator[Finding]":
    """Look at everything, and with `fix` mend what is safe to mend, check by check."""
    patient = Patient(environ, deep=deep)
    for look in CHECKS:
        mended = False
        for found in look(patient):
            if fix and found.mend is not None:
                mend(found)
                mended = True
            yield found
        if mended:
            patient.read()


def mend(found: Finding) -> None:
    """Do what a finding offers; where that is impossible, the finding says why, and has the step that helps then."""
    assert found.mend is not None
    try:
        found.mended = found.mend()
    except LastgoodError as error:
        found.refused, found.step = error.message, error.hint or found.step
    except Damage as error:
        found.refused = f"its record, or its card, is damaged ({error})"
    except records.NewerFormat as error:
        found.refused = f"its record was written by a newer lastgood (format {error.args[0]}, this one reads {records.FORMAT})"
        found.step = "update lastgood"
    except OSError as error:
        found.refused = (error.strerror or str(error)).lower()


# --- uv -------------------------------------------------------------------------------------------------------------


def look_at_uv(patient: Patient) -> "Iterator[Finding]":
    """Which uv is used, where it was found, and its version."""
    if patient.uv is None:
        error = patient.without_uv
        yield Finding("uv", PROBLEM, error.message if error else "there is no uv", (error.hint if error else "") or "install uv")
        return
    version = uv.ask(patient.uv, ["--version"], patient.environ)
    if not version:
        yield Finding(
            "uv", PROBLEM, f"`{patient.uv.path}` ({patient.uv.found}) does not run", "install uv anew, or set `LASTGOOD_UV`"
        )
        return
    if not version.startswith("uv"):
        yield _another_program(patient.uv, version)
        patient.uv = None  # or the checks below would take what it says for uv's answers
        return
    shim = uv.on_path("uvx", patient.environ.get("PATH", ""))
    also = "; `uvx` on PATH is lastgood" if shim and uv.is_shim(shim) else ""
    number = version.partition(" ")[2].partition(" ")[0]
    words = f"{number or version} at `{patient.uv.path}` ({_found(patient.uv.found)}){also}"
    too_old = number and _older_than_tested(number)
    if too_old:
        yield Finding(
            "uv",
            WARNING,
            f"{words} is older than {too_old}, the oldest that lastgood is made for",
            "`uv self update`, or your package manager",
        )
    else:
        yield Finding("uv", OK, words)


def _another_program(found: uv.Uv, version: str) -> Finding:
    """What is found and is no uv, in the words that a run has for it; `version` is its own answer."""
    words = f"`{found.path}` ({found.found}) is no uv: it says `{version}` of its version"
    named = found.found == "LASTGOOD_UV"
    step = "set it to the path of uv, or unset it" if named else "install uv, or set `LASTGOOD_UV` to its path"
    return Finding("uv", PROBLEM, words, step)


def _found(where: str) -> str:
    return {"LASTGOOD_UV": "named by `LASTGOOD_UV`", "PATH": "on PATH"}.get(where, f"bundled: in {where}")


def _older_than_tested(number: str) -> str:
    """The oldest version of uv that this lastgood asks for, where `number` is older; the package's own metadata says."""
    from importlib import metadata

    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    try:
        wanted = [Requirement(text) for text in metadata.requires("lastgood") or []]
        for one in wanted:
            if one.name == "uv" and not one.specifier.contains(number, prereleases=True):
                return str(one.specifier).removeprefix(">=")
    except (metadata.PackageNotFoundError, InvalidRequirement, InvalidVersion):
        return ""
    return ""


def look_at_cache(patient: Patient) -> "Iterator[Finding]":
    """Where uv's cache is, and whether a kept environment can be made of hard links to it."""
    if patient.uv is None or patient.trouble is not None:
        return
    cache = uv.ask(patient.uv, ["cache", "dir"], patient.environ) or patient.environ.get("UV_CACHE_DIR", "")
    if not cache:
        return
    step = "put `LASTGOOD_HOME` and `UV_CACHE_DIR` on one file system"
    cost = "kept environments are copies, which take their full size and longer to make"
    if not os.path.isdir(cache):
        yield Finding("hard links", OK, f"uv's cache `{cache}` is not there yet")
        return
    store = patient.home + "/generations"
    if not os.path.isdir(store):
        if os.stat(_existing(store)).st_dev == os.stat(cache).st_dev:
            yield Finding("hard links", OK, f"uv's cache `{cache}` is on the file system of the home")
        else:
            yield Finding("hard links", WARNING, f"uv's cache `{cache}` is on another file system: {cost}", step)
        return
    reason = _cannot_link(cache, store)
    if reason:
        yield Finding("hard links", WARNING, f"from uv's cache `{cache}` to the store they are impossible ({reason}): {cost}", step)
    else:
        yield Finding("hard links", OK, f"possible from uv's cache `{cache}` to the store")


def _cannot_link(cache: str, store: str) -> str:
    """Why an empty file in uv's cache cannot be linked into the store; "" where it can."""
    link = f"{store}/{generations.STAGING}{os.getpid()}-link"
    try:
        descriptor, path = tempfile.mkstemp(prefix=".lastgood-", dir=cache)
        os.close(descriptor)
        try:
            os.link(path, link)
            os.unlink(link)
        finally:
            os.unlink(path)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def _existing(path: str) -> str:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


# --- the home -------------------------------------------------------------------------------------------------------


def look_at_home(patient: Patient) -> "Iterator[Finding]":
    """Whether the home is ours and can be written."""
    if patient.trouble is not None:
        step = patient.trouble.hint or "set `LASTGOOD_HOME` to a directory of your own"
        yield Finding("home", PROBLEM, patient.trouble.message, step)
    elif not patient.standing:
        parent = _existing(patient.home)
        if os.access(parent, os.W_OK | os.X_OK):
            yield Finding("home", OK, f"`{patient.home}` is not there yet; the first run makes it")
        else:
            yield Finding("home", PROBLEM, f"`{patient.home}` cannot be made: `{parent}` is not writable", "set `LASTGOOD_HOME`")
    else:
        places = [patient.home, *(f"{patient.home}/{part}" for part in paths.PARTS)]
        locked = [place for place in places if os.path.exists(place) and not os.access(place, os.W_OK | os.X_OK)]
        if locked:
            words = f"`{locked[0]}` is not writable: what is kept runs, nothing new is kept"
            yield Finding("home", PROBLEM, words, f"chmod u+wx {shlex.quote(locked[0])}, or set `LASTGOOD_HOME`")
        else:
            yield Finding("home", OK, f"`{patient.home}` is yours and writable")


def look_at_disk(patient: Patient) -> "Iterator[Finding]":
    """Whether the home is on a local disk, and how much space is left there."""
    place = _existing(patient.home)
    kind = file_system(os.path.realpath(place), _mounts())
    if kind.startswith(_REMOTE):
        words = f"the home is on a network or shared file system (`{kind}`), where locks and links may fail or be slow"
        yield Finding("disk", WARNING, words, "set `LASTGOOD_HOME` to a directory on a local disk")
    found = os.statvfs(place)
    left = found.f_bavail * found.f_frsize
    words = f"{messages.size(left)} left" + (f" on a local disk (`{kind}`)" if kind and not kind.startswith(_REMOTE) else "")
    if found.f_files and not found.f_favail:
        yield Finding("disk", PROBLEM, "no more files can be made: the file system is out of inodes", "remove files there")
    elif left < _LITTLE:
        yield Finding("disk", PROBLEM, f"{words}: nothing new can be kept", "`lastgood gc`, or make room")
    elif left < _TIGHT:
        yield Finding("disk", WARNING, words, "`lastgood gc --keep 2` may make room")
    else:
        yield Finding("disk", OK, words)


def _mounts() -> str:
    """What is mounted, as /proc tells it; "" where there is no /proc."""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def file_system(path: str, mounts: str) -> str:
    """The type of the file system that `path` lies on, from a table as in /proc/self/mounts; "" where that does not tell."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 (device, place, type)
            continue
        place = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best):  # of two mounts at one place the later one is seen
            best, kind = place, fields[2]
    return kind


# --- records --------------------------------------------------------------------------------------------------------


def look_at_records(patient: Patient) -> "Iterator[Finding]":
    """Whether every record can be read."""
    if patient.trouble is not None:
        return
    for name, reason in patient.damaged:
        step = "`lastgood doctor --fix`, or the next run, sets it aside and rebuilds it from what is kept"
        yield _to_rebuild(patient, name, PROBLEM, f"damaged ({reason})", step)
    for name in patient.lost:
        step = "`lastgood doctor --fix`, or the next refresh, rebuilds it from that"
        yield _to_rebuild(patient, name, WARNING, "gone, and what it kept is still there", step)
    for name, reason in patient.unreadable:
        path = records.file_of(patient.home, name)
        step = f"chmod u+rw {shlex.quote(path)}"
        if os.path.isdir(path):
            step = f"move `{path}` elsewhere; the next run makes the record anew"
        yield Finding("records", PROBLEM, f"`{name}` cannot be read ({reason})", step)
    for name, number in patient.newer:
        words = f"`{name}` was written by a newer lastgood (format {number}, this one reads {records.FORMAT}); runs use plain `uvx`"
        yield Finding("records", WARNING, words, "update lastgood")
    now = time.time()
    for record in patient.records:
        if record.asked > now + _LATER:
            words = f"`{record.tool}` was last checked {messages.ago(record.asked - now)} from now: the clock was set back"
            yield Finding("records", WARNING, words, f"`lastgood warm {record.tool}`")
    if not (patient.damaged or patient.unreadable or patient.lost):
        kept = messages.tools([record.tool for record in patient.records])
        words = f"{kept} kept" if patient.records else "nothing is kept yet"
        yield Finding("records", OK, words, "" if patient.records else "`lastgood warm TOOL` keeps one")


def _called(patient: Patient, record: "Record") -> str:
    """What a record is called, told from the others of its tool."""
    alike = [one for one in patient.records if one.tool == record.tool]
    return manage.called(alike)[alike.index(record)]


def _unheld(record: "Record", words: str) -> str:
    """What has to come first where people have said that nothing may replace what runs; `words` mean the record."""
    if not record.held:
        return ""
    return f"after `lastgood unhold {words}`, " if words else "once it is held no more, "


def _to_rebuild(patient: Patient, name: str, verdict: str, words: str, step: str) -> Finding:
    return Finding("records", verdict, f"`{name}` is {words}", step, functools.partial(mending.rebuild_record, patient.home, name))


# --- environments ---------------------------------------------------------------------------------------------------


def look_at_environments(patient: Patient) -> "Iterator[Finding]":
    """Whether every kept environment is there, with its interpreter and its programs."""
    good = 0
    for record in patient.records:
        for one in record.generations:
            trouble = one.troubles(patient.home)
            if not trouble:
                good += 1
            elif one.id == record.current:
                words = f"what is kept of `{_called(patient, record)}` {one.version} cannot run: {trouble}"
                step = _to_build_again(record, manage.words_for(record, patient.environ))
                yield Finding(
                    "environments",
                    PROBLEM,
                    words,
                    step,
                    functools.partial(mending.rebuild, patient.home, patient.environ, record, one, anew=False),
                )
            else:
                words = f"`{_called(patient, record)}` {one.version}, kept from before, cannot run: {trouble}"
                yield Finding("environments", WARNING, words, f"nothing, unless you want to go back to {one.version}")
    if good:
        yield Finding("environments", OK, f"{messages.count(good, 'environment')} with interpreter and programs in place")


def _to_build_again(record: "Record", words: str) -> str:
    """What builds again what cannot run; `words` mean the record. A refresh does it while it is held, too."""
    fix = _unheld(record, words) + "`lastgood doctor --fix`"
    if not words:
        return "the next run where it is used builds it again" if record.held else f"{fix} builds it again"
    warm = f"`lastgood warm {words}`"
    return f"{fix} builds it again; {warm} does so while it is held" if record.held else f"{fix}, or {warm}, builds it again"


def look_at_contents(patient: Patient) -> "Iterator[Finding]":
    """With `--deep`: whether every file of every kept environment is what its distribution's RECORD says."""
    if not patient.deep:
        return
    known: dict[tuple[int, int], str] = {}
    files = 0
    for record in patient.records:
        for one in record.generations:
            root = f"{patient.home}/generations/{one.id}"
            count, wrong = contents.altered(root, known)
            files += count
            if wrong:
                named = ", ".join(f"`{name}`" for name in wrong[:_SHOWN_FILES])
                more = f" and {len(wrong) - _SHOWN_FILES} more" if len(wrong) > _SHOWN_FILES else ""
                altered = messages.count(len(wrong), "file")
                words = f"`{_called(patient, record)}` {one.version}: {altered} not as installed ({named}{more})"
                verdict = PROBLEM if one.id == record.current else WARNING
                first = _unheld(record, manage.words_for(record, patient.environ))
                step = first + "`lastgood doctor --deep --fix` builds it again, from fresh downloads"
                step = step if verdict == PROBLEM else ""
                mend = (
                    functools.partial(mending.rebuild, patient.home, patient.environ, record, one, anew=True)
                    if verdict == PROBLEM
                    else None
                )
                yield Finding("contents", verdict, words, step, mend)
    if files:
        yield Finding("contents", OK, f"{messages.count(files, 'file')} compared with what was installed")


# --- cards ----------------------------------------------------------------------------------------------------------


def look_at_cards(patient: Patient) -> "Iterator[Finding]":
    """Whether every launch card that a run would believe says what its record says."""
    if patient.trouble is not None:
        return
    by_id = {record.id: record for record in patient.records}
    unknown = {name for name, _ in (*patient.newer, *patient.damaged, *patient.unreadable)}  # the records are told of already
    good, bad = 0, False
    for name in names_in(patient.home + "/cards") if patient.standing else []:
        path = f"{patient.home}/cards/{name}"
        if name.endswith(records.ASIDE):
            continue  # a leftover
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                card = cards.read(file.read())
        except (Damage, OSError) as error:
            words = f"the launch card `{name}` cannot be used ({error})"
            yield Finding("cards", WARNING, words, "the next run writes it anew", functools.partial(mending.remove_card, path))
            bad = True
            continue
        if not surroundings.unchanged(card.stamps):
            continue  # no run believes it
        if card.record in unknown:
            continue
        record = by_id.get(card.record)
        differs = _differs(card, record, patient.home)
        if differs:
            step = "`lastgood doctor --fix` writes it anew from the record"
            words = f"the launch card of `{card.tool}` disagrees with its record about the {differs}"
            yield Finding("cards", PROBLEM, words, step, functools.partial(mending.rewrite_card, patient.home, path, card.record))
            bad = True
        else:
            good += 1
    if not bad:
        yield Finding("cards", OK, f"{messages.count(good, 'launch card')} in use, as the records say" if good else "none in use")


def _differs(card: "cards.Card", record: "Record | None", home: str) -> str:
    """In what a card that a run would believe differs from its record; "" where they agree."""
    if record is None:
        return "tool, of which there is no record"
    best = record.usable(home)
    if best is None:
        return ""  # nothing runs, which the environments tell
    if card.generation != best.id:
        return "environment"
    if card.version != best.version:
        return "version"
    if (card.base_size, card.base_mtime) != best.base:
        return "interpreter"
    how = best.commands.get(card.command)
    if how is not None and (card.launch, card.file, card.file_size) != how:
        return "program"
    if card.asked != record.asked:
        return "time of the last check"
    return "hold" if bool(card.held) != record.held else ""


# --- what is left over ----------------------------------------------------------------------------------------------


def look_at_leftovers(patient: Patient) -> "Iterator[Finding]":
    """Whether anything lies about that nobody uses."""
    if not patient.standing:
        return
    found = upkeep.collect(patient.home, dry_run=True)
    if not (found.generations or found.leftovers):
        yield Finding("leftovers", OK, "none")
        return
    what = [messages.count(found.generations, "environment") + " that no record names"] if found.generations else []
    what += [messages.count(found.leftovers, "leftover") + " of refreshes that ended early"] if found.leftovers else []
    words = f"{' and '.join(what)} ({messages.size(found.freed)})"
    yield Finding("leftovers", WARNING, words, "`lastgood gc` removes them", functools.partial(_collect, patient.home))


def _collect(home: str) -> str:
    """Remove what nobody uses. Raises LastgoodError where some of it could not be."""
    done = upkeep.collect(home)
    removed = f"removed {done.generations + done.leftovers}, freed {messages.size(done.freed)}"
    if done.stuck:
        raise LastgoodError(f"{removed}; {done.said_stuck()}", "make it removable, then `lastgood gc`")
    return removed


CHECKS: "tuple[Callable[[Patient], Iterator[Finding]], ...]" = (
    look_at_uv,
    look_at_home,
    look_at_disk,
    look_at_cache,
    look_at_records,
    look_at_environments,
    look_at_contents,
    look_at_cards,
    look_at_leftovers,
    neighbours.look_at_settings,
    neighbours.look_at_indexes,
    neighbours.look_at_hosts,
    neighbours.look_at_installed,
    neighbours.look_at_launcher,
    neighbours.look_at_hooks,
)
"""Every check, in the order in which it is told; what mends a record comes before what reads it."""
