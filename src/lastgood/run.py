"""The slow way of `lastgood run`: what happens when there is no card, it is stale, or something is wrong.

Ends in the tool (exec), in plain uvx (exec), or with an exit status where no tool was started. Whatever starts the tool
stands last: nothing is tried after it.
"""

import os
import time

from lastgood import (
    breaker,
    generations,
    launch,
    locks,
    messages,
    mistakes,
    notices,
    outage,
    paths,
    policy,
    refresh,
    request,
    settings,
    stale,
    uv,
)
from lastgood import card as cards
from lastgood import scene as scenes
from lastgood.errors import LastgoodError, LaunchFailed, NoUvError, SettingError, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lastgood.card import Card
    from lastgood.identity import Request
    from lastgood.record import Record
    from lastgood.refresh import Job, Outcome
    from lastgood.request import Words
    from lastgood.scene import Scene

_WARMABLE = ("--from", "--with", "--python")  # the options of uvx that `lastgood warm` knows, too
_STORIES = 4  # how often everything is looked at anew, while other processes change what is kept, before plain uvx has to do
_NO_PROGRESS = "--no-progress"
_POLL = 0.05
_SILENT = 1.0  # seconds of waiting that need no explanation
_FROZEN = 3.0  # seconds without a sign of life after which the holder of a lock counts as stopped


# --- to plain uvx ---------------------------------------------------------------------------------------------------


def hand_over(refusal: request.Handover, argv: "list[str]", environ: "dict[str, str]") -> int:
    """Become plain uvx with the words as they are, lastgood's own options left out. Raises UsageError where they name no tool."""
    if refusal.words is not None:
        mistakes.refuse_file(refusal.words, environ)
    mistakes.refuse_nowhere(refusal)
    if isinstance(refusal, request.NearMiss):  # uvx will only say that it knows no such option
        messages.say("hint", refusal.reason, environ)
    words = refusal.words
    if words is None:
        return _uvx(argv, environ, refusal.origin)
    offline = False
    if _is_open(words):
        mode = _said_mode(words, environ) or _mode_of_files(words, environ, refusal.origin)
        offline = mode == "strict-cache"
    return _uvx(_in_hook(words, words.plain, environ), environ, refusal.origin, offline=offline)


def plainly(argv: "list[str]", environ: "dict[str, str]", origin: str = "") -> int:
    """Become plain uvx after a failure of lastgood's own, in the directory `origin` where one had been left.

    No configuration is read for it: something is broken already.
    """
    try:
        words = request.parse(argv)
    except request.Handover as refusal:
        if refusal.words is None:
            return _uvx(argv, environ, origin)
        words = refusal.words
    except Exception:  # noqa: BLE001 (the bug may be there)
        return _uvx(argv, environ, origin)
    offline = _is_open(words) and _said_mode(words, environ) == "strict-cache"
    return _uvx(_in_hook(words, words.plain, environ), environ, origin, offline=offline)


def _in_hook(words: "Words", plain: "list[str]", environ: "dict[str, str]") -> "list[str]":
    """What `words` are for uvx, without progress where a hook runner calls: its pseudo-terminal would keep every step of it.

    No variable for it: that would reach the tool. Where the user has said something of progress, uvx takes no second word.
    """
    if not settings.is_on(environ.get("PRE_COMMIT")) or environ.get("UV_NO_PROGRESS") or not words.target:
        return plain
    said = any(word.partition("=")[0] == _NO_PROGRESS for word in words.plain[: words.cut])
    return plain if said else [_NO_PROGRESS, *plain]


def _is_open(words: "Words") -> bool:
    """Whether the words leave it to the mode whom uvx asks: its own words for that win, and it refuses some beside `--offline`."""
    return bool(words.target) and words.offline is None and not words.fresh


def _said_mode(words: "Words", environ: "dict[str, str]") -> str:
    """The mode that a flag or the variable chooses; "" where neither does."""
    return words.flags.get("mode") or environ.get(settings.BY_NAME["mode"].env, "").strip()


def _mode_of_files(words: "Words", environ: "dict[str, str]", origin: str) -> str:
    """The mode that configuration files choose for these words; "" where they cannot be read, which plain uvx does not need."""
    from lastgood import identity, project, surroundings  # only what becomes plain uvx asks for them here

    place = "." if origin else request.directory(words, environ) or "."
    try:
        cwd = os.path.realpath(place)
        user = surroundings.user_config(environ)
        tool, package = identity.table_names(words)
        return project.load(surroundings.configs(cwd), user, {}, {}, tool, cwd, package).mode()
    except (SettingError, OSError):
        return ""


def _uvx(plain: "list[str]", environ: "dict[str, str]", origin: str, *, offline: bool = False) -> int:
    if offline:
        plain = ["--offline", *plain]  # a mode is no word of uvx's, and `strict-cache` asks nobody
    try:
        if origin:
            os.chdir(origin)  # uvx changes to --directory itself
        uv.hand_over(plain, environ)
    except LastgoodError as error:
        messages.tell(error, environ)
    except LaunchFailed as error:
        messages.say("error", str(error), environ)
    return 2


# --- the story ------------------------------------------------------------------------------------------------------


def slowly(scene: "Scene", came: str = "") -> int:
    """Run what neither the hot path nor a stale card did; `came` is what asking for that card came to.

    Returns an exit status only where no tool was started.
    """
    notices.join(scene)
    return _Run(scene).after(came) if came else _Run(scene).go()


class _Run:
    """One slow run: its request, its record, its card."""

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene
        self.card: Card | None = None
        self.record: Record | None = None
        self.lost = ""
        self.stories = 0
        self.warnings = b""  # uv's, for the run of the tool: plain uvx says its own
        self.has_uv = False  # whether it is known that there is one
        self.request: Request

    def go(self) -> int:
        """Tell the story from the beginning."""
        mistakes.refuse_file(self.scene.words, self.scene.environ)
        ended = self._identify()
        if ended is None:
            ended = self._open_home()
        notices.join(self.scene)
        if ended is None:
            ended = self._read_record()
        return self._act() if ended is None else ended

    def after(self, came: str) -> int:
        """What follows a stale card that did not end in the tool: everything anew, or the index's answer in uvx's own words."""
        self.stories += 1
        if came == stale.STORY and self.stories < _STORIES:
            return self.go()
        ended = self._identify()
        if ended is not None:
            return ended
        if came == stale.STORY:
            self._warn(f"what is kept of `{self.request.tool}` changes whenever it is looked at; running plain `uvx`")
        return self._plain()

    def _identify(self) -> "int | None":
        from lastgood import identity

        try:
            self.request = identity.identify(self.scene)
        except request.Handover as refusal:
            refusal.origin = self.scene.origin
            return hand_over(refusal, [], self.scene.environ)
        return None

    def _plain(self) -> int:
        offline = _is_open(self.scene.words) and scenes.mode_of(self.scene, self.request.mode) == "strict-cache"
        plain = _in_hook(self.scene.words, self.request.plain, self.scene.environ)
        return _uvx(plain, self.scene.environ, self.scene.origin, offline=offline)

    def _warn(self, line: str) -> None:
        notices.warn(self.scene, line)

    # --- what is kept ---

    def _open_home(self) -> "int | None":
        """Make the home where there is none; plain uvx where it cannot be used at all."""
        home = self.scene.home
        trouble = self.scene.trouble
        try:
            if trouble is not None:
                raise trouble
            if not os.path.isdir(home):
                self._find_uv()  # without it there is nothing to keep, and a mistake leaves no directories
            for part in ("", *paths.PARTS):
                os.makedirs(os.path.join(home, part), mode=0o700, exist_ok=True)
            paths.trusted(home)
        except StateError as error:
            if error.fatal and self.scene.environ.get("LASTGOOD_HOME"):
                raise
            return self._without_keeping(error.message)
        except OSError as error:
            if os.path.isdir(f"{home}/generations"):
                return None  # it cannot be written, but what it keeps can run
            return self._without_keeping(f"`{home}` is not writable ({(error.strerror or str(error)).lower()})")
        return None

    def _find_uv(self) -> None:
        """Make sure that there is a uv, or become what needs none. Raises NoUvError where there is neither.

        What LASTGOOD_UV names is asked whether it is one; what is found as `uv` on PATH need not be.
        """
        if self.has_uv:
            return
        try:
            found = uv.find(self.scene.environ)
            if self.scene.environ.get("LASTGOOD_UV") and not uv.is_uv(found, self.scene.environ):
                raise uv.another_program(found)
        except NoUvError as error:
            self._do_without_uv(error)
        self.has_uv = True

    def _do_without_uv(self, missing: NoUvError) -> "NoReturn":
        """Become the tool in the environment of lastgood, which a hook brought. Raises what is missing where there is none."""
        named = self.scene.environ.get("LASTGOOD_UV")  # a mistake in it is to be mended, and not to be got round
        if not named and scenes.mode_of(self.scene, self.request.mode) != "strict-latest":
            self._become_own(missing.message)
        raise missing

    def _without_keeping(self, trouble: str) -> int:
        """Run through uvx, since nothing can be kept; where that cannot work, what lastgood's own environment has of the tool."""
        from lastgood import ladder

        notices.join_without_home(self.scene)
        if ladder.own_program(self.request) is not None:
            reason = self._try_uvx()
            if reason:
                self._become_own(f"{reason}; {trouble}")
        self._warn(f"{trouble}; running through `uvx` without keeping `{self.request.tool}`")
        return self._plain()

    def _try_uvx(self) -> str:
        """Why uvx could not run the tool, and something may stand in; "" where it could, or may not.

        Plain uvx, once started, leaves nothing to fall back on.
        """
        mode = scenes.mode_of(self.scene, self.request.mode)
        if mode == "strict-latest":
            return ""
        job = self._job()
        job.offline = mode == "strict-cache"
        if not job.offline:
            self._limit_wait(job)
        _, finding = refresh.materialise(job, lambda _: None)
        if finding is None:
            return ""
        if finding.verdict == outage.LOCAL:
            return refresh.local_clause("", finding.reason)
        if job.offline:
            return "the mode is `strict-cache`, and uv's cache has nothing of it"
        return refresh.Outcome(refresh.OUTAGE, finding.reason, finding).clause if finding.kind in self.request.fallback_on else ""

    def _read_record(self) -> "int | None":
        from lastgood import record as records

        made = self.request
        try:
            self.record = records.look(self.scene.home, made.id, made.slug)
            aside = self._repair_record()
        except records.NewerFormat as newer:
            found = f"format {newer.args[0]}, this one reads {records.FORMAT}"
            self._warn(f"the record of `{made.tool}` was written by a newer lastgood ({found}); running plain `uvx`")
            return self._plain()
        if aside:
            self._warn(f"the record of `{made.tool}` was unreadable; set aside as `{aside}` and rebuilt")
        self._make_card()
        return None

    def _repair_record(self) -> str:
        """Set a damaged record aside, and write down one that was made anew: until the next refresh only runs would know of it.

        The name that it was set aside under; "" where there was nothing to do, or another process does it.
        """
        from lastgood import record as records

        home, made = self.scene.home, self.request
        if self.record.stamp is not None if self.record is not None else not os.path.exists(records.file_of(home, made.id)):
            return ""
        try:
            with records.exclusive(home, made.id, 0):
                self.record, aside = records.repair(home, made.id, made.slug)
                if self.record is not None and not os.path.exists(records.file_of(home, made.id)):
                    records.save(home, self.record)
        except (LastgoodError, OSError):
            return ""  # a home that cannot be written stays as it is
        return aside

    def _job(self) -> "Job":
        job = refresh.Job(self.scene, self.request)
        job.record, job.looked = self.record, True
        return job

    def _make_card(self) -> None:
        """The card of the best generation that can run; `lost` is why the current one cannot."""
        found = refresh.learn(self._job())
        self.card = found.card
        self.lost = "".join(f"the kept `{self.request.tool}` {one.version} {trouble}" for one, trouble in found.given_up[:1])
        if found.card is not None and not found.given_up:
            self._write_card(found.card)

    def _say_lost(self, step: str) -> None:
        """Say that what ran until now cannot, and what becomes of that."""
        stands_in = f"running {self.card.version}" if self.card is not None else ""
        then = {
            policy.RUN: stands_in,
            policy.BEHIND: f"{stands_in} while it is built again",
            policy.RUN_OPEN: "building it again once the index answers",  # the next line says what runs, and why
        }
        self._warn(f"{self.lost}; {then.get(step, 'building it again')}")

    def _write_card(self, card: "Card") -> None:
        from lastgood import record as records

        try:
            records.write(self.scene.card_path, cards.write(card), durable=False)
        except OSError:
            return  # a home that cannot be written: the next run comes this way again

    # --- what is done ---

    def _act(self) -> int:
        mode = scenes.mode_of(self.scene, self.request.mode)
        card, now = self.card, time.time()
        down = breaker.first_open(self.scene.home, card.hosts.split(), now, self.request.fallback_on) if card is not None else None
        step = policy.decide(card, mode, now, policy.OPEN if down is not None else policy.CLOSED)
        if card is not None and not launch.provides(card, self.scene.environ, self.scene.home):
            if step == policy.RUN:
                return self._plain()  # what the environment does not provide, uvx names best
            self.card = card = None
        if self.lost:
            self._say_lost(step)
        if card is None or step in (policy.REFRESH, policy.OFFLINE):
            return self._refresh_first(mode, offline=step == policy.OFFLINE)
        if step in (policy.WAIT, policy.BEHIND):
            self.scene.card = card
            return self.after(stale.run(self.scene, card, self._job(), wait=step == policy.WAIT))
        if step == policy.RUN_OPEN and down is not None:
            notices.say_open(self.scene, card, down, now)
        return self._launch(card)

    def _launch(self, card: "Card") -> int:
        messages.write_all(2, self.warnings)
        if card.notice:
            notices.say_waiting(self.scene, card)
        try:
            launch.tool(self.scene.home, card, self.scene.words.args, self.scene.environ)
        except LaunchFailed:
            return self._plain()  # what the environment does not provide, uvx names best

    def _refresh_first(self, mode: str, *, offline: bool) -> int:
        """Nothing kept may run before the index was asked: refresh here, with uv's progress shown as uvx shows it."""
        started = time.time()
        if self.card is None and self.scene.environ.get("LASTGOOD_UV") and not self._has_spare():
            self._find_uv()  # a mistake leaves no lock file
        try:
            with refresh.take_lock(self.scene.home, self.request.id):
                return self._refresh_here(mode, offline=offline)
        except locks.Busy:
            return self._after_another(started, mode, offline=offline)
        except locks.LockTrouble as error:
            return self._without_keeping(str(error))

    def _refresh_here(self, mode: str, *, offline: bool) -> int:
        job = self._job()
        # a hook runner shows all that a failing hook wrote: uv's progress would stand before what the tool found
        job.shown = not self.scene.words.quiet and not settings.is_on(self.scene.environ.get("PRE_COMMIT"))
        job.offline, job.heard = offline, True
        if mode.startswith("prefer") and not offline and self.card is None and self._has_spare():
            self._rather_than_wait(job)
        outcome = refresh.refresh(job)
        self.record, self.warnings = job.record, job.warnings
        if outcome.good:
            from lastgood import upkeep

            upkeep.tidy_behind(self.scene.home, refresh.new_of(job, outcome))
        return self._refreshed(job, outcome, mode, offline=offline)

    def _has_spare(self) -> bool:
        from lastgood import ladder

        return ladder.own_program(self.request) is not None or bool(ladder.near(self.scene.home, self.request))

    def _rather_than_wait(self, job: "Job") -> None:
        """Nothing is kept, but a lower rung has the tool: wait at most `patience`, where a host is down not at all.

        A service that runs hooks without a network would wait for uv's ten seconds at every hook.
        """
        hosts = [*(self.record.hosts if self.record is not None else []), *self.request.hosts, self.request.id]
        down = breaker.first_open(self.scene.home, hosts, time.time(), self.request.fallback_on)
        if down is not None:
            self._climb(job, messages.no_answer(breaker.shown(down.host), down.reason))
        self._limit_wait(job)

    def _limit_wait(self, job: "Job") -> None:
        default = self.request.configuration.where("patience") == "default"
        hook = settings.is_on(self.scene.environ.get("PRE_COMMIT"))
        job.patience = policy.patience(self.request.patience, default=default, hook=hook)

    def _after_another(self, started: float, mode: str, *, offline: bool) -> int:
        """Another process refreshes the same request: wait for it and use what it made, or what it learned.

        The new card is enough to see that it has ended: 31 processes that queued for the lock would start one after the other.
        """
        lock = f"{self.scene.home}/records/{self.request.id}.lock"
        said = False
        while True:
            card = scenes.find_card(self.scene)
            if card is not None and card.asked >= started:
                ended = self._use_what_came(started, mode, offline=offline)
                if ended is not None:
                    return ended
            try:
                with locks.claim(lock):
                    ended = self._use_what_came(started, mode, offline=offline)
                    return ended if ended is not None else self._refresh_here(mode, offline=offline)
            except locks.Busy:
                time.sleep(_POLL)
                if time.time() - locks.last_beat(lock) > max(_FROZEN, self.request.patience):
                    self._warn(
                        f"another process has been refreshing `{self.request.tool}` without a sign of life; running plain `uvx`"
                    )
                    return self._plain()
                if not said and time.time() - started > _SILENT and self._is_watched():
                    messages.say("", f"another process is refreshing `{self.request.tool}`; waiting for it", self.scene.loud)
                    said = True

    def _is_watched(self) -> bool:
        """Whether somebody sits before a terminal; that of a hook is its runner's, who shows what was said once all is over."""
        return os.isatty(2) and not settings.is_on(self.scene.environ.get("PRE_COMMIT"))

    def _use_what_came(self, started: float, mode: str, *, offline: bool) -> "int | None":
        """Do what follows from another process's refresh, as if it had been this one's; None where this one has to ask.

        What went wrong on this machine, or without the network, is the other's own, and no later failure takes an answer back.
        """
        ended = self._read_record()
        if ended is not None:
            return ended
        if offline:
            return self._launch(self.card) if self.card is not None else None
        last, job = self.record.last if self.record is not None else {}, self._job()
        answered = last.get("outcome") in (refresh.NEW, refresh.UNCHANGED, refresh.REFUSED)
        if mode != "strict-latest" and self.card is not None and self.card.asked >= started and not answered:
            return self._launch(self.card)
        if float(last.get("at", 0.0)) < started or not (answered or last.get("outcome") in (refresh.OUTAGE, refresh.ANSWER)):
            return None
        if mode == "strict-latest" and not refresh.answers_for(job, last):
            return None
        return self._refreshed(job, refresh.replay(last, self.request.fallback_on), mode, offline=offline)

    def _refreshed(self, job: "Job", outcome: "Outcome", mode: str, *, offline: bool) -> int:
        """Run what a refresh came to that was waited for."""
        if outcome.good and outcome.reason and mode == "strict-latest":
            return self._refused(outcome, mode)  # an earlier refresh found out
        if outcome.good:
            self._make_card()
            if self.card is None and outcome.reason:
                return self._refused(outcome, mode)
            return self._launch(self.card) if self.card is not None else self._plain()
        if outcome.kind == refresh.REFUSED:
            return self._refused(outcome, mode)
        if outcome.kind == refresh.LOCAL:
            return self._local(job, outcome, mode)
        if offline:
            return self._nothing_cached(outcome)
        if outcome.kind == refresh.ANSWER:
            return self._answer(outcome)
        return self._outage(job, outcome, mode)

    def _refused(self, outcome: "Outcome", mode: str) -> int:
        self._make_card()
        named = f"`{self.request.tool}` {outcome.version} was built but does not start ({outcome.reason})"
        if mode != "strict-latest" and self.card is not None:
            self._warn(f"{named}; keeping {self.card.version}")
            return self._launch(self.card)
        if mode.startswith("prefer"):
            self._run_near(named)
        reason = "nothing older is kept for this request" if self.card is None else "the mode is `strict-latest`"
        self._warn(f"{named}; {reason}, running it as `uvx` would")
        return self._plain()

    def _run_near(self, named: str) -> None:
        """Become what is kept for another request that satisfies this one, in place of a release that does not start; if any is."""
        from lastgood import ladder

        near = ladder.near_card(self._job())
        if near is not None:
            notices.say_stands_in(self.scene, near[0], f"{named}; it was {near[1]}")
            self._launch(near[0])

    def _local(self, job: "Job", outcome: "Outcome", mode: str) -> int:
        if self.card is None and mode.startswith("prefer") and outcome.reason == outage.BAD_CONFIGURATION:
            from lastgood import ladder

            near = ladder.near_card(job, whatever_configured=True)  # what the file said before it broke is not known any more
            self.card = near[0] if near is not None else None
        if self.card is not None and mode.startswith("prefer"):
            notices.say_stands_in(self.scene, self.card, refresh.local_clause(outcome.version, outcome.reason))
            return self._launch(self.card)
        if outcome.finding is not None and outcome.finding.kind == refresh.NO_UV:
            self._find_uv()  # says it once more, and what to do about it
            raise NoUvError(outcome.reason)
        if not outcome.version and mode != "strict-latest":
            self._become_own(refresh.local_clause("", outcome.reason))
        if outcome.version:
            self._warn(f"`{self.request.tool}` {outcome.version} cannot be kept ({outcome.reason}); running it through `uvx`")
        return self._plain()

    def _answer(self, outcome: "Outcome") -> int:
        kept = self.card
        if kept is not None and outcome.finding is not None and outcome.finding.kind == "auth":
            host = breaker.shown(outcome.finding.host)
            messages.say("hint", messages.auth(kept.tool, kept.version, host, outcome.reason), self.scene.loud)
        self._name_unknown(outcome)
        return self._plain()

    def _name_unknown(self, outcome: "Outcome") -> None:
        hint = mistakes.unknown_package(self.request, outcome.words.decode("utf-8", "replace"), self.scene.environ)
        if hint and notices.speaks(self.scene):
            messages.say("hint", hint, self.scene.loud)

    def _nothing_cached(self, outcome: "Outcome") -> int:
        self._become_own("nothing else is kept, and the mode is `strict-cache`")
        messages.write_all(2, outcome.words)
        advice = f"run `{self._warm_command()}` when the index can be reached"
        hint = f"no good `{self.request.tool}` is kept and the mode is `strict-cache`; {advice}"
        messages.say("hint", hint, self.scene.loud)
        return outcome.status

    def _outage(self, job: "Job", outcome: "Outcome", mode: str) -> int:
        """Nothing good is kept for this request and the index is down: the lower rungs of the ladder, then uvx's own error."""
        reason, kept = outcome.clause, self.card
        if kept is not None and not kept.asked:
            self.card = None  # it came from uv's cache in an outage before: no older than what is there now
        if mode.startswith("prefer"):
            self._climb(job, reason)
        if not notices.speaks(self.scene):
            return outcome.status
        messages.write_all(2, outcome.words)
        if kept is not None:
            hint = f"`{kept.tool}` {kept.version} is kept, but {self._why_not(mode, kept)}"
            messages.say("error", reason, self.scene.loud)
            messages.say("hint", hint, self.scene.loud)
            return outcome.status
        messages.say("error", f"{reason} and no good `{self.request.tool}` is kept for this request", self.scene.loud)
        if settings.is_on(self.scene.environ.get("PRE_COMMIT")):  # its users may have no other lastgood than the hook's
            hint = "run the hook once while the index is up"
        else:
            hint = f"run `{self._warm_command()}` while the index is up, or `lastgood status` to see what is kept"
        messages.say("hint", hint, self.scene.loud)
        return outcome.status

    def _warm_command(self) -> str:
        """What would keep exactly this, as a shell takes it."""
        import shlex

        words = self.scene.words
        given = [f"{name}={value}" for name, value, _ in words.options if name in _WARMABLE]
        return shlex.join(["lastgood", "warm", *map(request.without_credentials, [*given, words.plain[words.cut].strip()])])

    def _why_not(self, mode: str, kept: "Card") -> str:
        if mode == "strict-latest" and not self.scene.words.fresh:
            return f"the mode is `strict-latest` ({self.request.configuration.where('mode')}): run with `--prefer-offline`"
        if mode == "strict-latest":
            return f"the mode is `strict-latest`: run without {self._fresh_words()}, or with `--prefer-offline`"
        if not kept.asked:
            return "nobody knows how old it is, and `stale-max` is set: set that to `inf`, or run with `--offline`"
        return "it is older than `stale-max`: raise it, or run with `--offline`"

    def _fresh_words(self) -> str:
        """What asks for news, as it was typed where it stands alone."""
        words = self.scene.words
        typed = [word.partition("=")[0] for word in words.plain[: words.cut]]
        named = [name for name in typed if name in request.every_option() and request.every_option()[name][1] == "fresh"]
        named = named or [name for name, _, kind in words.options if kind == "fresh"]
        return " and ".join(f"`{name}`" for name in dict.fromkeys(named))

    def _climb(self, job: "Job", reason: str) -> None:
        """Become what a lower rung of the ladder offers; returns where none does."""
        from lastgood import ladder

        if self.card is not None:
            return
        near = ladder.near_card(job)
        if near is not None:
            notices.say_stands_in(self.scene, near[0], f"{reason}; it was {near[1]}")
            self._launch(near[0])
        cached = ladder.from_uv_cache(job)
        if cached is not None:
            self._warn(f"running `{cached.tool}` {cached.version} from uv's cache: {reason}")
            notices.note_fallback(self.scene.home, cached.record, cached.version, time.time())
            if not generations.size(self.scene.home, cached.generation):
                from lastgood import upkeep

                upkeep.tidy_behind(self.scene.home, [cached.generation])
            self._launch(cached)
        self._become_own(reason)

    def _become_own(self, reason: str) -> None:
        """Become the tool in the environment of lastgood, which needs no network; returns where there is none that fits."""
        from lastgood import ladder

        own = ladder.own_program(self.request)
        if own is not None:
            program, version = own
            self._warn(f"running `{self.request.tool}` {version} from the environment of lastgood: {reason}")
            notices.note_fallback(self.scene.home, self.request.id, version, time.time())
            try:
                launch.become(program, [self.request.command, *self.scene.words.args], self.scene.environ)
            except LaunchFailed:
                return  # a broken script: what uvx said is better
