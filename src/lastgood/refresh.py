"""A refresh: ask uvx to resolve and build anew, check the result, retain it, write record and card. It never starts the tool.

Seven steps, each a function: take_lock, materialise, name_failure, check, retain, write_record, write_card.
"""

import os
import time

from lastgood import behind, breaker, generations, launch, locks, messages, outage, paths, stopping, surroundings, uv
from lastgood import card as cards
from lastgood.errors import Damage, LastgoodError, LaunchFailed, NoUvError
from lastgood.request import as_one, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from lastgood.identity import Request
    from lastgood.outage import Finding
    from lastgood.record import Generation, Record
    from lastgood.scene import Scene
    from lastgood.tee import Tee

NEW, UNCHANGED, REFUSED = "new", "unchanged", "refused"
OUTAGE, ANSWER, LOCAL = "outage", "answer", "local"
KINDS = (NEW, UNCHANGED, REFUSED, OUTAGE, ANSWER, LOCAL)
PATIENT = 30.0
"""Seconds without a byte, as uv waits; its three retries would keep uv's cache locked for two minutes."""
NO_UV = "no uv"
_BY_SIGNAL = 128
_OF_ONE_RUN = ("fresh", "stale", "offline", "online", "output")  # classes of uvx's options
_ANEW = ("--reinstall", "--reinstall-package")  # what is kept may be damaged where no run looks: clone and check it once more
_HASTY_REASONS = ("connection refused", "DNS lookup failed", "timed out", "network is unreachable", "no route to host")


class Outcome:
    """What a refresh came to.

    kind      one of KINDS          reason   in words, for people
    finding   of a failed one       status   uv's exit status, `words` what uv said and nobody has seen yet
    version   the tool's version that was built, or refused; `check` is the user's smoke test where that refused it
    """

    __slots__ = ("check", "finding", "kind", "reason", "status", "version", "words")

    def __init__(self, kind: str, reason: str = "", finding: "Finding | None" = None, *, version: str = "") -> None:
        self.kind = kind
        self.reason = reason
        self.finding = finding
        self.version = version
        self.check = ""
        self.status = 0
        self.words = b""

    @property
    def good(self) -> bool:
        """Whether the index answered with something that runs, or with what is kept already."""
        return self.kind in (NEW, UNCHANGED)

    @property
    def clause(self) -> str:
        """Why something stands in, as people are told it."""
        host = breaker.shown(self.finding.host) if self.finding is not None else ""
        if self.finding is not None and self.finding.verdict == outage.ANSWER:
            return messages.answered(host, self.reason)
        return messages.no_answer(host, self.reason)


class Standing:
    """What of a record can run now.

    card      of the best generation that can; None where none can, or where it does not provide the command (`lacking` it)
    given_up  [(generation, trouble)]: what would come before it, the current one first
    learned   whether the record was not known to provide the command
    """

    __slots__ = ("card", "given_up", "lacking", "learned")

    def __init__(self) -> None:
        self.card: cards.Card | None = None
        self.given_up: list[tuple[Generation, str]] = []
        self.lacking = ""
        self.learned = False


class Job:
    """One refresh to do, for one scene.

    request   what is asked for; taken from the scene when it is first needed, so that uvx works meanwhile
    options, source   what uvx gets: known from the card before the request is
    record    what is kept; None where nothing is or nobody has looked yet (`looked`)
    shown     whether uv's progress belongs on the terminal
    patience  seconds that someone waits while something good is kept; None where nothing is
    began     when it was first to be done: a second, more patient try is the same one
    answered  whether the index is known to have answered; `announce` is told so: one of behind.ANNOUNCED, and what was built
    early     told the outcome as soon as it is certain, before record and card are written; says whether anyone heard it
    heard     whether whoever waits has been told, so that no notice needs to be left
    offline   whether uv may only use its cache
    gone      the version that people chose, where what was kept of it is lost and the index has it no more
    warnings  what uv warned of on the way to an environment, where `shown` keeps it for whoever starts the tool
    """

    __slots__ = (
        "_request",
        "announce",
        "answered",
        "began",
        "early",
        "environ",
        "gone",
        "heard",
        "home",
        "known_source",
        "looked",
        "offline",
        "options",
        "patience",
        "record",
        "scene",
        "shown",
        "source",
        "warnings",
    )

    def __init__(self, scene: "Scene", request: "Request | None" = None) -> None:
        self.scene = scene
        self.home = scene.home
        # the working directory is the one that these name already
        self.environ = {
            name: value for name, value in scene.environ.items() if name not in ("UV_WORKING_DIR", "UV_WORKING_DIRECTORY")
        }
        self.record: Record | None = None
        self.looked = False
        self.shown = False
        self.patience: float | None = None
        self.early: Callable[[Outcome], bool] | None = None
        self.announce: Callable[[str, str], None] | None = None
        self.answered = False
        self.began = time.time()
        self.heard = False
        self.known_source = ""
        self.offline = False
        self.gone = ""
        self.warnings = b""
        self._request = request
        self.options: list[str] = request.options if request is not None else []
        self.source = request.source if request is not None else ""

    @property
    def request(self) -> "Request":
        """The request. Raises what `identity.identify` raises."""
        if self._request is None:
            from lastgood import identity

            self._request = identity.identify(self.scene)
        return self._request

    def look_up(self) -> None:
        """Read the record, where nobody has yet."""
        if not self.looked:
            from lastgood import record as records

            self.record = records.look(self.home, self.request.id, self.request.slug)
            self.looked = True

    def tell(self, outcome: Outcome) -> None:
        """Tell whoever waits, once."""
        if self.early is not None:
            self.heard = self.early(outcome) or self.heard
            self.early = None


def new_of(job: Job, outcome: Outcome) -> "list[str]":
    """The generations that a refresh has made new: one or none."""
    return [job.record.current] if outcome.kind == NEW and job.record is not None else []


def replay(last: "dict[str, Any]", fallback_on: "Sequence[str]") -> Outcome:
    """The outcome of another process's refresh, as its record tells it: whoever waited for it need not ask again.

    What a failure is depends on whoever is told: one that others may not fall back on is an answer to them.
    """
    kind, reason = str(last.get("outcome", "")), str(last.get("reason", ""))
    failure = str(last.get("class", ""))
    if kind in (OUTAGE, ANSWER):
        kind = OUTAGE if failure in fallback_on else ANSWER
    verdict = outage.OUTAGE if failure in outage.OUTAGES else outage.ANSWER
    finding = outage.Finding(verdict, failure, reason, outage.judge(str(last.get("words", ""))).urls)
    outcome = Outcome(kind, reason, finding, version=str(last.get("version", "")))
    outcome.status = int(last.get("status", 1))
    outcome.words = str(last.get("words", "")).encode()
    return outcome


def take_lock(home: str, identity: str) -> "locks.Claim":
    """The first step: the request's lock, at once. Raises locks.Busy where another process has it, and locks.LockTrouble."""
    from lastgood import record as records

    return locks.claim(records.lock_of(home, identity))


def refresh(job: Job) -> Outcome:
    """Do a refresh; the caller holds the request's lock. Never raises for what the index, the disk or a release did."""
    staged: list[str] = []
    built: list[generations.Environment] = []
    trouble: list[Exception] = []

    def use(result: uv.Result) -> None:
        try:
            _look_at(job, result, built, staged)
        except (OSError, generations.NotRetainable) as error:
            trouble.append(error)

    with stopping.Unwinding():
        try:
            result, finding = materialise(job, use)
            if finding is not None:
                return _failed(job, result, finding)
            if trouble:
                return _local_trouble(job, trouble[0], built)
            return _built(job, result, built[0], staged)
        except (OSError, LastgoodError) as error:
            return _local_trouble(job, error, built)
        finally:
            for place in staged:
                generations.remove(place)


# --- materialise and name the failure -------------------------------------------------------------------------------


def materialise(job: Job, use: "Callable[[uv.Result], None]") -> "tuple[uv.Result, Finding | None]":
    """Let uvx resolve and build; the result and, where it failed, what the failure was.

    Tried once more where the failure may be a passing one (a first 401, a server error) or may be uv's poisoned cache; never where
    something that starts the tool could run, since nothing here starts it.
    """
    found = uv.find(job.environ)
    options = [*job.options, *(["--offline"] if job.offline and "--offline" not in job.options else [])]
    source = _chosen(job)
    extra: list[str] = []
    told: uv.Result | None = None
    while True:
        result = uv.materialise(
            found,
            [*options, *extra],
            source,
            job.environ,
            shown=job.shown and "-v" not in extra,
            timeouts=_timeouts(job),
            meanwhile=None if job.known_source else lambda: _get_ready(job),
            use=use,
            beat=lambda said: _show_life(job, said),
        )
        if result.prefix and result.status == 0:
            job.warnings = bytes(result.errors.warnings)
            return result, None
        _get_ready(job)
        if result.status == 0 or (_is_silent(result) and not uv.is_uv(found, job.environ)):
            raise uv.another_program(found)  # or what did nothing would look like a tool that ran, or like an answer
        finding = name_failure(job, result)
        if source != job.source and finding.verdict == outage.ANSWER:
            job.gone, source = source.partition("==")[2], job.source  # what people chose is to be had no more
            continue
        if "-v" in extra:
            finding.urls = outage.suspects(result.errors.text)
        again = _second_try(job, finding) if told is None and not job.offline else []
        if not again:
            # what -v adds is for lastgood, not for people
            return (told if told is not None and "-v" in extra else result), _settled(job, finding)
        told, extra = result, [word for word in again if word]


def _is_silent(result: uv.Result) -> bool:
    """Whether uv ended by itself without a word."""
    return result.status is not None and result.status <= _BY_SIGNAL and not result.errors.text.strip()


def _chosen(job: Job) -> str:
    """What uvx is asked for: the very version that people chose, by a hold or by going back, where what was kept of it is lost."""
    version = job.record.lost(job.home, job.request.command) if job.record is not None else ""
    return pinned(job.request, version) if version and job.request.target.kind == "registry" else job.source


def pinned(made: "Request", version: str) -> str:
    """A request's package in one version."""
    target = made.target
    return target.name + (f"[{','.join(target.extras)}]" if target.extras else "") + f"=={version}"


def _get_ready(job: Job) -> None:
    """Do while uvx works what will be needed when it has ended: 10 to 20 ms, most of them of imports.

    Where the kept environment is known by its place, someone waits only to hear that it is the same: then this comes after that.
    """
    job.look_up()
    _ = job.request.indexes
    import json  # noqa: F401

    from lastgood import history  # noqa: F401


def _show_life(job: Job, said: "Tee") -> None:
    """Show those who wait that this refresh is alive and, once uv fetches something, that the index has answered."""
    beat(job)
    if said.fetching and not job.answered:
        _tell_answer(job, behind.FETCHING)


def _tell_answer(job: Job, kind: str, version: str = "") -> None:
    from lastgood import record as records

    job.answered = True
    locks.note_answer(records.lock_of(job.home, job.request.id), kind)
    if job.announce is not None:
        job.announce(kind, version)


def beat(job: Job) -> None:
    """Show those who wait for the lock that this refresh is alive."""
    from lastgood import record as records

    locks.beat(records.lock_of(job.home, job.request.id))


def _timeouts(job: Job) -> "dict[str, str] | None":
    """Timeouts that let uv name the host that does not answer within `patience`, instead of being cut off unheard."""
    if job.patience is None:
        return None
    seconds = str(max(1, -int(-min(job.patience, 3600.0) // 1)))  # rounded up: what answers within patience is no outage
    of_git = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": seconds}  # without it git waits for ever
    return {"UV_HTTP_TIMEOUT": seconds, "UV_HTTP_CONNECT_TIMEOUT": seconds, "UV_HTTP_RETRIES": "0", **of_git}


def name_failure(job: Job, result: uv.Result) -> "Finding":
    """What uv's words say the failure was."""
    finding = outage.judge(result.errors.text)
    if result.status is None:
        finding = outage.Finding(outage.OUTAGE, outage.UNREACHABLE, "no end in time", finding.urls)
    elif result.status > _BY_SIGNAL and not result.errors.text.strip():
        # no memory left, or a limit: the index has said nothing
        finding = outage.Finding(outage.LOCAL, "local", f"uv was ended by signal {result.status - _BY_SIGNAL}")
    if finding.verdict == outage.SUSPECT and job.patience is None and (job.record is None or not job.record.generations):
        return outage.Finding(outage.ANSWER, finding.kind, finding.reason, finding.urls)
    return finding


def _second_try(job: Job, finding: "Finding") -> "list[str]":
    """Options for one more try ([""] for none of its own), or nothing where it would not help."""
    if finding.verdict == outage.SUSPECT and any(map(outage.is_repository, finding.urls)):
        return []  # git keeps no page of a portal's, and has named its address
    if finding.verdict == outage.SUSPECT:
        # a portal's page, the tool's or a dependency's, stays in uv's cache for its max-age: only a refresh tells;
        # -v names the addresses
        return ["-v"] if "--refresh" in job.options else ["--refresh", "-v"]
    if finding.verdict == outage.OUTAGE and job.patience is not None and finding.reason not in _HASTY_REASONS:
        return [""] if finding.urls else ["-v"]
    if finding.kind == outage.AUTH and finding.reason == "HTTP 401":
        return [""]  # a keyring may know only at the second request (uv issue 3205)
    return []


def _settled(job: Job, finding: "Finding") -> "Finding":
    """A suspect judged by asking the addresses that uv named, once, briefly."""
    if finding.verdict != outage.SUSPECT or job.offline:
        return finding
    from lastgood import probe  # httpx takes longer to import than uv takes to fail

    wrong = probe.ask(finding.urls, job.environ)
    return wrong or outage.Finding(outage.ANSWER, finding.kind, finding.reason, finding.urls)


def _failed(job: Job, result: uv.Result, finding: "Finding") -> Outcome:
    if finding.verdict == outage.LOCAL:
        kind = LOCAL
    elif finding.kind in job.request.fallback_on:
        kind = OUTAGE
    else:
        kind = ANSWER
    outcome = Outcome(kind, finding.reason, finding)
    outcome.status = 1 if result.status is None else result.status
    outcome.words = result.errors.withheld
    if finding.verdict == outage.OUTAGE and not job.offline:  # not an answer that something may stand in for
        for host in _hosts_of(job, finding):
            breaker.trip(job.home, host, finding.reason, time.time(), finding.kind, began=job.began)
    job.tell(outcome)
    if not job.offline:  # what uv's cache lacks is no answer of the index: whoever waits for the lock must not take it for one
        try:
            write_record(job, outcome, None)
        except (OSError, LastgoodError):
            return outcome  # a home that cannot be written changes nothing about what uv said
    return outcome


def _hosts_of(job: Job, finding: "Finding") -> "list[str]":
    if finding.host:
        return [finding.host]
    sources, hosts = job.request.sources, job.request.hosts
    known = [*sources, *(host for host in (job.record.hosts if job.record else []) if host not in hosts)]
    return known[:1] or [job.request.id]


# --- look, check, retain --------------------------------------------------------------------------------------------


def _look_at(job: Job, result: uv.Result, built: "list[generations.Environment]", staged: "list[str]") -> None:
    """While the child keeps uv's cache locked: tell an unchanged environment early, clone a new one."""
    if job.known_source and result.prefix == job.known_source:
        job.tell(Outcome(UNCHANGED))
    _get_ready(job)
    environment = generations.Environment(result.prefix)
    built.append(environment)
    if not _is_known(job, environment):
        _tell_answer(job, behind.BUILT, _version(job, environment))
        staged.append(generations.stage(job.home, environment, job.request.slug))


def _is_known(job: Job, environment: generations.Environment) -> bool:
    """Whether what was built is what runs already, or what is not to run."""
    record = job.record
    if record is None:
        return False
    if record.refuses(environment.digest, _version(job, environment), "\t".join(job.request.check)) is not None:
        return True
    current = record.generation()
    standing = current is not None and not current.trouble(job.home, job.request.command)
    if not record.held and any(name in _ANEW for name, _, _ in job.scene.words.options):
        return False
    return standing and (record.held or current is None or current.digest == environment.digest)


def _version(job: Job, environment: generations.Environment) -> str:
    name = job.request.target.name or generations.direct_name(environment)
    return environment.dists.get(name, "")


def _built(job: Job, result: uv.Result, environment: generations.Environment, staged: "list[str]") -> Outcome:
    version = _version(job, environment)
    if not job.request.command:
        job.request.command = job.request.tool = generations.direct_name(environment)
    if not staged:
        outcome = Outcome(UNCHANGED, _why_refused(job, environment, version), version=version)
        current = job.record.generation() if job.record is not None else None
        if current is not None and current.digest == environment.digest:
            current.source, current.uv = environment.root, result.uv
        write_record(job, outcome, None)
        return outcome
    kept = describe(result, environment, staged[0], version)
    try:
        check(job, staged[0], kept)
        if not kept.commands:
            _check_known(job, staged[0], kept)
    except generations.Refused as error:
        outcome = Outcome(REFUSED, _broken_by(job, kept) + str(error), version=version)
        outcome.check = "\t".join(job.request.check) if error.own else ""
        job.tell(outcome)
        write_record(job, outcome, kept)
        return outcome
    retain(job, staged, kept)
    outcome = Outcome(NEW, version=version)
    write_record(job, outcome, kept)
    return outcome


def _broken_by(job: Job, kept: "Generation") -> str:
    """What else is new in an environment that does not start, where the tool itself is the same."""
    from lastgood import differences

    current = job.record.generation() if job.record is not None else None
    if current is None or current.version != kept.version:
        return ""
    moved = differences.moved(current.dists, kept.dists)
    return f"with {', '.join(moved)}: " if moved else ""


def _why_refused(job: Job, environment: generations.Environment, version: str) -> str:
    """Why a check refused what was resolved, at an earlier refresh; "" where none did."""
    refused = job.record.refuses(environment.digest, version, "\t".join(job.request.check)) if job.record is not None else None
    return str(refused["error"]) if refused is not None and refused["by"] == "check" else ""


def describe(result: uv.Result, environment: generations.Environment, place: str, version: str) -> "Generation":
    """What the record will say of a staged environment. Raises OSError where its interpreter is gone."""
    from lastgood import record as records

    return records.Generation(
        id="new",
        version=version,
        dists=environment.dists,
        digest=environment.digest,
        python=environment.python,
        base=generations.interpreter_stamp(place),
        uv=result.uv,
        open_files=launch.raises_open_files(result.open_files, environment.uv),
        source=environment.root,
        kept=time.time(),
        commands={},
    )


def check(job: Job, place: str, kept: "Generation") -> None:
    """The command is there and what it imports imports; enters it into `kept`. Raises Refused.

    A command that the environment does not provide is not a broken release, uvx says so better; unless what runs has it.
    """
    request = job.request
    found = provided(place, request, job.environ)
    if (found is None or found.launch == "search") and _is_provided(job, request.command):
        raise _lacks(request.command)
    if found is not None:
        _try_out(job, place, kept, request.command, found)


def _check_known(job: Job, place: str, kept: "Generation") -> None:
    """After a mistyped command: what is known to work must not give way to what nobody has looked at. Raises Refused."""
    current = job.record.generation() if job.record is not None else None
    for name, how in current.commands.items() if current is not None else ():
        if how[0] == "search":
            continue
        found = generations.command(place, name, searched=False)
        if found is None:
            raise _lacks(name)
        _try_out(job, place, kept, name, found)


def _try_out(job: Job, place: str, kept: "Generation", name: str, found: generations.Command) -> None:
    generations.check(place, found, job.request.check, job.environ, lambda: beat(job))
    size = os.stat(f"{place}/{found.file}").st_size if found.file else 0
    kept.commands[name] = (found.launch, found.file, size)


def _lacks(command: str) -> generations.Refused:
    return generations.Refused(f"it does not provide `{command}` any more")


def provided(place: str, made: "Request", environ: "dict[str, str]") -> "generations.Command | None":
    """How an environment starts what is asked for; None where neither it nor, with `--from`, PATH has a program of that name."""
    found = generations.command(place, made.command, searched=made.searched)
    if found is not None and found.launch == "search" and not launch.finds(made.command, environ.get("PATH", "")):
        return None
    return found


def _is_provided(job: Job, command: str) -> bool:
    """Whether what runs provides `command` itself."""
    current = job.record.generation() if job.record is not None else None
    return current is not None and current.commands.get(command, ("search",))[0] != "search"


def retain(job: Job, staged: "list[str]", kept: "Generation") -> None:
    """Give a checked environment its place in the store, with the manifest that a lost record is rebuilt from."""
    from lastgood import record as records

    if job.record is None:
        job.record = records.Record(job.request.id, job.request.fields, job.request.tool)
    kept.kept = job.record.first_kept(kept)
    records.write_manifest(staged[0], job.record, kept)
    name = paths.slug(f"{job.request.slug}-{kept.version}") if kept.version else job.request.slug
    kept.id = generations.keep(job.home, staged.pop(), name)


# --- record and card ------------------------------------------------------------------------------------------------


def write_record(job: Job, outcome: Outcome, kept: "Generation | None") -> None:
    """Write down what happened, then the card that follows from it."""
    from lastgood import history
    from lastgood import record as records

    if job.record is None:
        if outcome.kind not in (REFUSED, OUTAGE, ANSWER):
            return
        job.record = records.Record(job.request.id, job.request.fields, job.request.tool)
    record, now = job.record, time.time()
    before = record.generation()
    if outcome.kind != NEW:
        standing(job)  # it looks whether the command is there, which the record is to know
    with records.exclusive(job.home, record.id):
        if changed_meanwhile(job, record) and outcome.kind == NEW and kept is not None and _is_kept_back(job, record, kept):
            outcome.kind = UNCHANGED
        _remember(job, record, outcome, kept, now)
        _call(job, record)
        records.save(job.home, record)
    notice = _notice(job, record, outcome, kept)
    if notice:
        records.write(f"{job.home}/notices/{record.id}", notice)
    elif outcome.kind == NEW and os.path.exists(f"{job.home}/notices/{record.id}"):
        os.unlink(f"{job.home}/notices/{record.id}")
    write_card(job)
    built = outcome.kind in (NEW, REFUSED)
    if outcome.kind != UNCHANGED:
        history.note(
            job.home,
            OUTAGE if outcome.finding is not None and outcome.finding.verdict == outage.OUTAGE else outcome.kind,
            tool=record.tool,
            record=record.id,
            version=outcome.version,
            before=before.version if before is not None and built else "",
            reason=outcome.reason,
            host=outcome.finding.host if outcome.finding else "",
            changes=_changes(before, kept) if built else [],
        )
    if outcome.kind in (NEW, UNCHANGED, REFUSED) and not job.offline:
        for ended in breaker.close(job.home, [*record.hosts, *job.request.hosts, record.id]):
            history.note(job.home, "recovered", host=ended.host, since=ended.since, reason=ended.reason)


def changed_meanwhile(job: Job, record: "Record") -> bool:
    """Take over what people changed since the record was read (compare-and-swap); whether they did."""
    from lastgood import record as records

    try:
        theirs = records.load(job.home, record.id)
    except Damage:
        records.set_aside(job.home, record.id)  # it is about to be replaced, and somebody may want to know what it was
        return False
    except (records.NewerFormat, OSError):
        return False  # nothing that could be taken over
    if theirs is None:
        return False
    current = theirs.current if record.generation(theirs.current) is not None else record.current
    before = (record.held, record.current, record.refused)
    record.held, record.current, record.refused = theirs.held, current, theirs.refused
    return before != (record.held, record.current, record.refused)


def _is_kept_back(job: Job, record: "Record", kept: "Generation") -> bool:
    """Whether what was built may not replace what runs, by what people have said meanwhile."""
    current = record.generation()
    if record.held and (current is None or current.digest != kept.digest):  # else it is what is held, built again
        return True
    return record.refuses(kept.digest, kept.version, "\t".join(job.request.check)) is not None


def _changes(before: "Generation | None", after: "Generation | None") -> "list[str]":
    """What moved between two environments: `click 8.1.8 → 8.2.0`."""
    from lastgood import differences

    return differences.moved(before.dists, after.dists) if before is not None and after is not None else []


def _remember(job: Job, record: "Record", outcome: Outcome, kept: "Generation | None", now: float) -> None:
    finding = outcome.finding
    failed = finding is not None and (finding.verdict == outage.OUTAGE or outcome.kind == OUTAGE)
    named = [finding.host] if finding is not None and finding.host and failed else []  # each breaker has to be closed again
    others = [host for host in record.hosts if host not in (record.configured or ())]  # those that failures have named
    indexes = job.request.indexes if _has_dependencies(kept or record.generation()) else []
    record.hosts = list(dict.fromkeys([*job.request.hosts, *indexes, *others, *named]))[:8]
    record.configured = list(job.request.sources)
    if not job.offline:  # what uv's cache has, or lacks, is no answer of the index
        record.last = _told_of(job, outcome, now)
    if outcome.kind in (OUTAGE, ANSWER, LOCAL):
        return
    if outcome.kind != NEW:
        _let_go(job, record)
    if not job.offline:
        record.asked = now
    if outcome.kind == NEW and kept is not None:
        record.promote(job.home, kept)
    if outcome.kind == REFUSED and kept is not None:
        one = {"version": kept.version, "digest": kept.digest, "error": outcome.reason, "at": now, "by": "check"}
        record.refuse({**one, "check": outcome.check})


def _told_of(job: Job, outcome: Outcome, now: float) -> "dict[str, Any]":
    """What the record says of a refresh, for people and for those who waited for it."""
    told = {"at": now, "outcome": outcome.kind, "reason": outcome.reason, "status": outcome.status, "version": outcome.version}
    told |= {"fresh": _news_words(job), "hasty": job.patience is not None}
    if outcome.kind in (OUTAGE, ANSWER, LOCAL):
        told["words"] = without_credentials(outcome.words.decode("utf-8", "replace")[-16384:])
        told["class"] = outcome.finding.kind if outcome.finding else ""
    return told


def _news_words(job: Job) -> str:
    """The options that make uvx ask for news which it would else take from its cache."""
    return "\t".join(sorted(f"{name}={value or ''}" for name, value, kind in job.scene.words.options if kind == "fresh"))


def answers_for(job: Job, last: "dict[str, Any]") -> bool:
    """Whether what another process's refresh came to is what this one would, where nothing may stand in.

    Not where uvx asked for other news, and not the failure of one that gave the index little time.
    """
    failed = last.get("outcome") in (OUTAGE, ANSWER)
    return last.get("fresh") == _news_words(job) and not (failed and last.get("hasty"))


def _has_dependencies(generation: "Generation | None") -> bool:
    return generation is not None and len(generation.dists) > 1


def _call(job: Job, record: "Record") -> None:
    """Call the record by what this run asks for, and note with which words; not by a mistyped command where another works."""
    known = record.commands()
    if not known or job.request.command in known:
        record.tool = job.request.tool
        record.words, record.place, record.beside = _asked_with(job)


def _let_go(job: Job, record: "Record") -> None:
    """Let what stands in take the place of what cannot run, where the index has answered and what it has may not."""
    current, command = record.generation(), job.request.command
    if current is None or not current.trouble(job.home, command) or (record.lost(job.home, command) and not job.gone):
        return
    if any(not one.trouble(job.home, command) for one in record.generations):
        record.forget(current.id)


def _asked_with(job: Job) -> "tuple[list[str], str, list[str]]":
    """The words of this run up to the tool, from where, and what a hook lists beside it: what `warm --all` does again.

    Without those that chose how this one run asks. None where a credential stands in one: those are never
    written down.
    """
    scene = job.scene
    given = [(f"{name}={value}" if value else name, kind) for name, value, kind in scene.words.options]
    words = [word for word, kind in given if kind not in _OF_ONE_RUN]
    words += [f"--cooldown={scene.words.flags['cooldown']}"] if "cooldown" in scene.words.flags else []
    words.append(scene.words.plain[scene.words.cut])
    hidden = any(without_credentials(word) != word for word in map(as_one, (*words, *scene.beside)))
    return ([] if hidden else words), scene.origin or scene.cwd, [] if hidden else list(scene.beside)


def _notice(job: Job, record: "Record", outcome: Outcome, kept: "Generation | None") -> str:
    """The line that the next run says once: a release was refused while something good is kept, or people's choice was lost."""
    current = record.generation()
    if outcome.good and job.gone and current is not None and current.version != job.gone:
        held = " and is held" if record.held else ""
        lost = f"`{job.request.tool}` {job.gone}, which was chosen, is lost and the index has it no more"
        return f"{lost}: {current.version} runs{held}"
    if outcome.kind != REFUSED or kept is None or current is None or job.heard:
        return ""
    return refused_line(job.request.tool, kept.version, outcome.reason, current.version)


def refused_line(tool: str, version: str, reason: str, current: str) -> str:
    """The words for a refused release."""
    return f"`{tool}` {version} was built but does not start ({reason}); keeping {current}"


def local_clause(version: str, reason: str) -> str:
    """Why the last good runs where neither the index nor a release is to blame: `version` is what was built, "" for nothing."""
    return f"{version} cannot be kept ({reason})" if version else f"the index could not be asked ({reason})"


def write_card(job: Job) -> "cards.Card | None":
    """Derive the card of this run's words from the record; None where the current generation cannot run: a next run looks again."""
    found = learn(job)
    if found.card is None or found.given_up:
        return None
    from lastgood import record as records

    records.write(job.scene.card_path, cards.write(found.card), durable=False)
    return found.card


def learn(job: Job) -> Standing:
    """What can run; the first command that a record turns out to provide is written down, and names it from now on.

    A further one waits for the next refresh: a record that is written makes its other cards be read anew.
    """
    found, record = standing(job), job.record
    if not found.learned or record is None or len(record.commands()) > 1:
        return found
    from lastgood import record as records

    try:
        with records.exclusive(job.home, record.id, 0):
            if record.stamp is None or not surroundings.unchanged([record.stamp]):
                return found  # another process has changed it: the next run looks again
            _call(job, record)
            records.save(job.home, record)
    except (LastgoodError, OSError):
        return found  # a home that cannot be written, or another process writes: what can run runs
    return standing(job)  # the card carries the record's stamp


def standing(job: Job) -> Standing:
    """Find what of the job's record can run. Nothing is forgotten by looking: a missing interpreter may come back."""
    found, record = Standing(), job.record
    for one in record.best_first() if record is not None else []:
        assert record is not None
        card, trouble = None, "was removed from disk"
        if generations.exists(job.home, one.id):
            known = len(one.commands)
            card = derive_card(job, record, one)
            found.learned = len(one.commands) > known
            if card is None:
                found.lacking = one.version
                return found
            trouble = _cannot_run(job.home, card)
        if card is not None and not trouble:
            found.card = card
            return found
        found.given_up.append((one, trouble))
    return found


def _cannot_run(home: str, card: "cards.Card") -> str:
    try:
        launch.intact(home, card)
    except LaunchFailed as error:
        return f"cannot run: {error}"
    return ""


def derive_card(job: Job, record: "Record", generation: "Generation") -> "cards.Card | None":
    """The card of one generation, checking the command first where it was not yet; None where it does not provide it."""
    from lastgood import record as records

    request = job.request
    place = f"{job.home}/generations/{generation.id}"
    if not request.command:
        request.command = request.tool = generations.direct_name(generations.Environment(place))
    if request.command not in generation.commands:
        try:
            check(job, place, generation)
        except (generations.Refused, OSError):
            return None
    how = generation.commands.get(request.command)
    if how is None:
        return None
    card = cards.Card()
    card.key = job.scene.key
    card.tool, card.version, card.record, card.generation = request.tool, generation.version, record.id, generation.id
    card.command, card.launch, card.file, card.file_size = request.command, *how
    card.base_size, card.base_mtime = generation.base
    card.uv, card.nofile, card.source = generation.uv, int(generation.open_files), generation.source
    named = "\t".join([request.source, *request.extra])
    if without_credentials(as_one(named)) == as_one(named):
        card.spec, card.extra, card.lean = request.source, "\t".join(request.extra), 1
    card.asked, card.held = record.standing_of(generation)
    card.mode, card.max_age, card.patience, card.stale_max = request.mode, request.max_age, request.patience, request.stale_max
    card.lenient = int(request.configuration.where("patience") == "default")
    card.fallback_on = " ".join(request.fallback_on)
    # git's hosts first: whom nobody names before patience ends is blamed, and uv names those in time that it asks itself
    card.hosts = " ".join(dict.fromkeys([*request.addressed, *request.hosts, *record.hosts, record.id]))
    card.notice = int(os.path.exists(f"{job.home}/notices/{record.id}"))
    card.stamps = [*request.stamps, record.stamp or surroundings.stamp(records.file_of(job.home, record.id))]
    return card


def _local_trouble(job: Job, error: Exception, built: "list[generations.Environment]") -> Outcome:
    """The disk is full, a directory cannot be written, the environment cannot be cloned: nobody's outage."""
    version = _version(job, built[0]) if built else ""
    reason = error.message if isinstance(error, LastgoodError) else (getattr(error, "strerror", None) or str(error)).lower()
    kind = NO_UV if isinstance(error, NoUvError) else "local"
    outcome = Outcome(LOCAL, reason, outage.Finding(outage.LOCAL, kind, reason), version=version)
    job.tell(outcome)
    return outcome
