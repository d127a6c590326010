"""What `doctor --fix` does: each function mends one thing and says what it did. Each is safe to be interrupted at any point.

Nothing good is given up before something good has taken its place. Raises LastgoodError or OSError where it could not be done.
"""

import contextlib
import os
import shlex
import tempfile

from lastgood import card as cards
from lastgood import generations, identity, locks, manage, outage, refresh, request, tee
from lastgood import record as records
from lastgood import scene as scenes
from lastgood.errors import LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lastgood.record import Generation, Record
    from lastgood.refresh import Outcome


_ERROR, _UNSOLVED = "error: ", "No solution found"  # how uv's own line begins, and the one that says no more than the reason does
_ELSEWHERE = "`lastgood warm` it where it is used"
_WARMABLE = ("--from", "--with", "--python")  # the options of uvx that `lastgood warm` knows, too


def rebuild_record(home: str, name: str) -> str:
    """Set a damaged record aside and make it anew from what is kept; also one that is gone."""
    with manage.leased(home, name), records.exclusive(home, name):
        found, aside = records.repair(home, name, records.slug_of(name))
        if found is not None and found.stamp is not None:
            return "nothing: another process has written it meanwhile"
        if not aside and os.path.exists(records.file_of(home, name)):
            raise LastgoodError(f"`{records.file_of(home, name)}` cannot be set aside")
        if found is None:
            return f"set aside as `{aside}`; nothing was kept of it"
        records.save(home, found)
        current = found.generation()
        rebuilt = f"rebuilt: `{found.tool}` {current.version if current else ''}".rstrip()
        return f"set aside as `{aside}` and {rebuilt}" if aside else rebuilt


def words_of(record: "Record") -> "list[str]":
    """Words that ask for what a record keeps, as after `lastgood run`; without credentials, which no record holds."""
    fields = record.request
    options = [f"{name}={value}" if value else str(name) for name, value in fields.get("options", [])]
    specifier, extras = str(fields.get("specifier", "")), fields.get("extras", [])
    package = str(fields.get("package", ""))
    if "://" in specifier or "://" in package:
        source = specifier or package
    else:
        source = package + (f"[{','.join(extras)}]" if extras else "") + specifier
    return [*options, f"--from={source}", record.tool]


def environment_of(record: "Record", environ: "dict[str, str]") -> "dict[str, str]":
    """The environment with uv's variables as the record has them; where only credentials differ, with those of `environ`."""
    kept = {str(name): str(value) for name, value in record.request.get("variables", [])}
    mine = dict(request.variables(environ))
    found = {name: value for name, value in environ.items() if name not in mine or mine[name] == kept.get(name)}
    return {**kept, **found}


def rebuild(home: str, mine: "dict[str, str]", record: "Record", bad: "Generation", *, anew: bool) -> str:
    """Refresh what a record keeps so that `bad` is replaced. Until something good is kept, the record keeps what it had.

    With `anew` uv's cache is not trusted, since its files may be the same ones. Raises LastgoodError.
    """
    if record.held:
        raise LastgoodError(f"`{record.tool}` is held")  # the step of whoever found it begins with that
    environ = environment_of(record, mine)
    other = _another_cache(home, environ) if anew else contextlib.nullcontext(environ)
    with other as used, contextlib.chdir(os.getcwd()):  # a variable may lead elsewhere
        try:
            scene = scenes.look(words_of(record), used)
            made = identity.identify(scene)
        except request.Handover as refusal:
            raise LastgoodError(f"`{record.tool}` cannot be asked for again ({refusal.reason})", _ELSEWHERE) from refusal
        if record.id.rpartition("-")[0] != made.family:
            raise LastgoodError(f"`{record.tool}` was kept for other settings than those here", _ELSEWHERE)
        with manage.leased(home, made.id):
            done, failed = _refreshed(home, refresh.Job(scene, made), bad)
        if failed is not None:
            raise LastgoodError(f"it could not be built again ({_why(failed)})", _next_step(failed, record, mine, anew=anew))
        if made.id != record.id:  # on another interpreter, since that of the record is gone
            with manage.leased(home, record.id), records.exclusive(home, record.id):
                _forget(home, record.id, bad)
        return done


def _why(failed: "Outcome") -> str:
    """Why a refresh brought nothing, with uv's own error where that says more than the reason."""
    reason = failed.reason or "nothing else may take its place"
    finding = failed.finding
    if finding is None or finding.verdict == outage.OUTAGE:
        return reason
    said = tee.plain(failed.words).splitlines()
    errors = [line.partition(_ERROR)[2].strip() for line in said if line.startswith(_ERROR)]
    own = "" if not errors or errors[-1].startswith(_UNSOLVED) else errors[-1]
    return request.without_credentials(f"{reason}: {own}" if own else reason)


def _next_step(failed: "Outcome", record: "Record", environ: "dict[str, str]", *, anew: bool) -> str:
    """What helps where a refresh brought nothing: to see more of it, or patience."""
    words = manage.words_for(record, environ)
    if failed.finding is None:
        return f"`lastgood history {words or record.tool}` tells what became of newer releases"
    if failed.finding.verdict == outage.OUTAGE:
        return f"`lastgood doctor {'--deep ' if anew else ''}--fix` once the index answers"
    return f"{f'`lastgood warm {words}`' if words else _warming(record, environ)} shows all that uv says"


def _warming(record: "Record", environ: "dict[str, str]") -> str:
    """The command that refreshes a record to which no name leads: with its options, or from where it was last refreshed."""
    if not record.words:  # a credential stands in them
        return f"`lastgood warm {shlex.quote(record.tool)}` with its options, where it is used,"
    full = words_of(record)
    for words in ([*full[:-2], manage.named(record)], full):
        if _is_named_by(words, record, environ):
            return f"`lastgood warm {shlex.join(words)}`"
    return "`lastgood warm --all`"


def _is_named_by(words: "list[str]", record: "Record", environ: "dict[str, str]") -> bool:
    """Whether `lastgood warm WORDS` refreshes this very record from here."""
    try:
        with contextlib.chdir(os.getcwd()):  # the words may lead elsewhere
            scene = scenes.look(words, environ, ())
            made = identity.identify(scene)
    except (request.Handover, LastgoodError):
        return False
    known = not scene.words.flags and all(name in _WARMABLE for name, _, _ in scene.words.options)
    return known and made.id == record.id


def _forget(home: str, identity_: str, bad: "Generation") -> None:
    record = records.load(home, identity_)
    if record is not None:
        record.forget(bad.id)
        records.save(home, record)


def _refreshed(home: str, job: "refresh.Job", bad: "Generation") -> "tuple[str, Outcome | None]":
    """Have something good take the place of `bad`: what it is, or the refresh that brought nothing, and then all is as it was."""
    job.heard, job.patience = True, refresh.PATIENT
    job.look_up()
    mine = job.record.generation(bad.id) if job.record is not None else None
    was_current = job.record is not None and job.record.current == bad.id
    digest = mine.digest if mine is not None else ""
    if mine is not None:
        mine.digest = ""  # what is built now is not it, whatever it is
    outcome = refresh.refresh(job)
    answered = outcome.good or outcome.kind in (refresh.REFUSED, refresh.ANSWER)
    if outcome.kind != refresh.NEW and answered and was_current and job.request.target.kind == "registry":
        # what the index has now was refused, or sent back: the very version that was kept is to stand again
        job.source = refresh.pinned(job.request, bad.version)
        outcome = refresh.refresh(job)
    if job.record is None or not _has_replaced(home, outcome, job.record, bad):
        _restore(home, job.record, mine, digest)
        return "", outcome
    if mine is not None:
        with records.exclusive(home, job.record.id):
            refresh.changed_meanwhile(job, job.record)
            job.record.generations = [one for one in job.record.generations if one.id != mine.id]
            records.save(home, job.record)
        refresh.write_card(job)
    if outcome.kind == refresh.NEW:
        generations.compile_all(f"{home}/generations/{job.record.current}")
        generations.measure(f"{home}/generations/{job.record.current}")
    return f"built `{job.record.tool}` {outcome.version} again", None


def _has_replaced(home: str, outcome: "Outcome", record: "Record", bad: "Generation") -> bool:
    """Whether something else than `bad` runs now, and was just built or found again."""
    best = record.runs(home)
    stands = best is not None and best.id == record.current and best.id != bad.id
    return stands and (outcome.kind == refresh.NEW or (outcome.good and not outcome.reason))


def _restore(home: str, record: "Record | None", mine: "Generation | None", digest: str) -> None:
    """Let the record know again what `mine` is, where a refresh has written it down without."""
    if record is None or mine is None:
        return
    mine.digest = digest
    with records.exclusive(home, record.id):
        found = records.load(home, record.id)
        known = found.generation(mine.id) if found is not None else None
        if found is not None and known is not None:
            known.digest = digest
            records.save(home, found)


@contextlib.contextmanager
def _another_cache(home: str, environ: "dict[str, str]") -> "Iterator[dict[str, str]]":
    """An empty cache for uv, beside the store, so that links are possible; gone afterwards, also where this process dies."""
    place = tempfile.mkdtemp(prefix=generations.STAGING, dir=home + "/generations")
    try:
        with locks.claim_unused(place):
            yield {**environ, "UV_CACHE_DIR": place + "/cache"}
    except (locks.Busy, locks.LockTrouble) as error:
        raise LastgoodError(f"`{place}` cannot be locked") from error
    finally:
        generations.remove(place)


def remove_card(path: str) -> str:
    """Remove a card; the next run writes it anew."""
    os.unlink(path)
    return "removed it"


def rewrite_card(home: str, path: str, identity_: str) -> str:
    """Derive a card anew from its record, or remove it where that keeps nothing for it."""
    with manage.leased(home, identity_):
        record = records.load(home, identity_)
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            card = cards.read(file.read())
        best = record.usable(home) if record is not None else None
        how = best.commands.get(card.command) if best is not None else None
        if record is None or best is None or how is None or best.id != record.current:  # what stands in is for a run to say
            return remove_card(path)
        _renew(card, record, best, how)
        records.write(path, cards.write(card), durable=False)
        return f"wrote it anew: `{card.tool}` {card.version}"


def _renew(card: "cards.Card", record: "Record", best: "Generation", how: "tuple[str, str, int]") -> None:
    """What a card has from its record; the rest of it, which its stamps vouch for, stays."""
    card.generation, card.version, card.source, card.uv = best.id, best.version, best.source, best.uv
    card.launch, card.file, card.file_size = how
    card.base_size, card.base_mtime = best.base
    card.nofile, card.asked, card.held = int(best.open_files), record.asked, int(record.held)
