"""A stale card: refresh behind, wait at most `patience` for it, then run the best there is.

Ends in the tool (exec), or says what has to be told instead: the whole story, or the index's answer in uvx's own words.
"""

import time

from lastgood import behind, breaker, launch, locks, messages, notices, outage, policy, refresh, request, settings, surroundings
from lastgood import scene as scenes
from lastgood.errors import LaunchFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastgood.card import Card
    from lastgood.locks import Claim
    from lastgood.refresh import Job, Outcome
    from lastgood.scene import Scene

STORY = "story"
"""The card cannot be used after all: everything has to be looked at."""
UNSTARTED = "unstarted"
"""What is kept stands, and the kernel does not start it: plain uvx says best what is wrong with it."""
ANSWERED = "answered"
"""The index answered, and not with a release."""
_DOING = {behind.FETCHING: "fetched", behind.BUILT: "checked"}
_GRACE = 0.25  # seconds: uv's timeouts are whole seconds, and its words about the host arrive a moment after them
_POLL = 0.02


def ask(scene: "Scene", card: "Card") -> str:
    """Become the best there is where the card alone tells what to ask for; else "", or what `run` came to.

    Whoever waits for uvx waits for all that is imported before: the story of other runs is not.
    """
    notices.join(scene)
    if not card.lean or not _stands(scene, card):
        return ""
    step = policy.decide(card, scenes.mode_of(scene, card.mode), time.time(), policy.CLOSED)
    if step not in (policy.WAIT, policy.BEHIND):
        return ""
    return run(scene, card, lean_job(scene, card), wait=step == policy.WAIT)


def _stands(scene: "Scene", card: "Card") -> bool:
    """Whether what is kept could start: nothing is said of it before that is known."""
    try:
        launch.intact(scene.home, card)
    except LaunchFailed as error:
        scene.reason = str(error)
        return False
    return launch.provides(card, scene.environ, scene.home)


def lean_job(scene: "Scene", card: "Card") -> "Job":
    """A refresh whose questions to uv are known from the card: the configuration is read while uv works."""
    job = refresh.Job(scene)
    job.source = card.spec
    job.options = [*request.kept_options(scene.words), *(card.extra.split("\t") if card.extra else [])]
    return job


def run(scene: "Scene", card: "Card", job: "Job", *, wait: bool) -> str:
    """Become the best there is after at most `patience`, or at once without `wait`. Else STORY, UNSTARTED or ANSWERED."""
    started = time.time()
    hook = settings.is_on(scene.environ.get("PRE_COMMIT"))
    card.patience = policy.patience(card.patience, default=bool(card.lenient), hook=hook)
    job.patience = card.patience
    job.known_source = card.source
    down = breaker.first_known(scene.home, card.hosts.split(), card.fallback_on.split())
    try:
        probe = [locks.claim(breaker.probe_lock(scene.home, down.host))] if down is not None else []
        claims = [locks.claim(f"{scene.home}/records/{card.record}.lock"), *probe]
        if not surroundings.unchanged(card.stamps):  # check again: another process refreshed before the lock was free
            for claim in claims:
                claim.release()
            return STORY
        listener = behind.start(lambda speaker: _work(job, speaker, claims), claims)
    except locks.Busy:
        if down is not None:  # half-open: one process tries, the others run
            if wait:
                notices.say_open(scene, card, down, started)
            return _start(scene, card)
        told = _watch(scene, card, started) if wait else behind.Told(refresh.UNCHANGED)
    except locks.LockTrouble as error:
        told = behind.Told(refresh.LOCAL, str(error))
    else:
        told = listener.wait(_longest(card)) if wait else behind.Told(refresh.UNCHANGED)
    if told is None:
        return _lost_patience(scene, card)
    return _after(scene, card, told)


def _longest(card: "Card") -> float:
    """How long to wait, in seconds; for as long as it takes where nothing may stand in for an index that does not answer."""
    return card.patience + _GRACE if outage.UNREACHABLE in card.fallback_on.split() else behind.LONGEST


def _work(job: "Job", speaker: behind.Speaker, claims: "list[Claim]") -> None:
    """The refresh behind: quick at first; where the index is only slow, once more with more patience."""
    job.early = lambda outcome: speaker.tell(_told(outcome))
    job.announce = lambda kind, version: speaker.announce(behind.Told(kind, version=version))
    outcome = refresh.refresh(job)
    if outcome.kind == refresh.OUTAGE and outcome.reason == "timed out":
        speaker.tell(_told(outcome))
        job.patience = refresh.PATIENT
        outcome = refresh.refresh(job)
    for claim in claims:
        claim.release()  # a next run, or a rollback, would wait for what follows
    told = _told(outcome)
    if outcome.good and job.gone:
        told.kind = refresh.NEW  # what stood in is what runs now: there is a new card, and something to say
    speaker.tell(told)
    from lastgood import upkeep

    upkeep.after_refresh(job.home, refresh.new_of(job, outcome))


def _told(outcome: "Outcome") -> behind.Told:
    host = breaker.shown(outcome.finding.host) if outcome.finding is not None else ""
    reason = outcome.clause if outcome.kind == refresh.OUTAGE else outcome.reason
    return behind.Told(outcome.kind, reason, host, outcome.version)


def _watch(scene: "Scene", card: "Card", started: float) -> "behind.Told | None":
    """Wait for another process's refresh of the same request: for its card, its record, or the breaker that it opens.

    As long as for a refresh of one's own, counted from the answer where there is one: who comes while a big release is fetched
    need not wait at all.
    """
    longest = _longest(card)
    until = time.monotonic() + longest
    lock = f"{scene.home}/records/{card.record}.lock"
    while time.monotonic() < until and time.time() < (locks.answer(lock)[0] or started) + longest:
        down = breaker.first_open(scene.home, card.hosts.split(), time.time(), card.fallback_on.split())
        if down is not None:
            return behind.Told(refresh.OUTAGE, messages.no_answer(breaker.shown(down.host), down.reason))
        ended = not locks.is_held(lock)
        if ended or scenes.find_card(scene) is None:
            told = _others_outcome(scene, started)
            # or the record has changed although the refresh has not ended: somebody went back, or wants to stay
            return told if told is not None else behind.Told(behind.DIED if ended else STORY)
        time.sleep(_POLL)
    at, kind = locks.answer(lock)
    return behind.Told(kind) if at else None


def _others_outcome(scene: "Scene", started: float) -> "behind.Told | None":
    """What another process's refresh wrote into the record; None where it wrote nothing yet."""
    from lastgood import record as records

    assert scene.card is not None
    identity = scene.card.record
    try:
        record = records.look(scene.home, identity, records.slug_of(identity))
    except records.NewerFormat:
        return None
    if record is None or float(record.last.get("at", 0.0)) < started - 1.0:
        return None
    outcome = refresh.replay(record.last, scene.card.fallback_on.split())
    return behind.Told(refresh.NEW) if outcome.good else _told(outcome)


def _lost_patience(scene: "Scene", card: "Card") -> str:
    """Nobody said anything in time: the breaker opens for the next runs, and the last good runs now."""
    now = time.time()
    hosts = card.hosts.split()
    down = breaker.trip(scene.home, hosts[0], "no answer in time", now)
    line = messages.fallback_slow(card.tool, card.version, now - card.asked, breaker.shown(down.host), card.patience)
    notices.warn(scene, line)
    notices.note_fallback(scene.home, card.record, card.version, now)
    return _start(scene, card)


def _after(scene: "Scene", card: "Card", told: behind.Told) -> str:
    """Run what is best after a refresh that told its outcome."""
    if told.kind == STORY:
        return STORY
    if told.kind == refresh.ANSWER:
        if outage.is_refusal(told.reason):
            messages.say("hint", messages.auth(card.tool, card.version, told.host, told.reason), scene.loud)
        return ANSWERED
    if told.kind == refresh.NEW:
        found = scenes.find_card(scene)
        return _start(scene, found) if found is not None else STORY
    if told.kind == refresh.REFUSED:
        notices.warn(scene, refresh.refused_line(card.tool, told.version, told.reason, card.version))
    elif told.kind != refresh.UNCHANGED:
        notices.say_stands_in(scene, card, clause(told))
    return _start(scene, card)


def clause(told: behind.Told) -> str:
    """Why the last good runs, as people are told it."""
    if told.kind == refresh.OUTAGE:
        return told.reason
    if told.kind == refresh.LOCAL:
        return refresh.local_clause(told.version, told.reason)
    if told.kind == behind.DIED:
        return "the refresh ended without a word"
    return f"{told.version or 'a new release'} is still being {_DOING[told.kind]} in the background"


def _start(scene: "Scene", card: "Card") -> str:
    """Become the tool; where its generation is lost, tell the whole story."""
    if card.notice:
        notices.say_waiting(scene, card)
    try:
        launch.tool(scene.home, card, scene.words.args, scene.environ)
    except LaunchFailed as error:
        scene.reason = str(error)
    try:
        launch.intact(scene.home, card)
    except LaunchFailed:
        return STORY
    return UNSTARTED
