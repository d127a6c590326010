"""What a run does with what it knows: the table of modes as one pure function.

The semantics are those of RFC 5861 (stale-while-revalidate, stale-if-error) at the granularity of a whole environment.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastgood.card import Card

RUN = "run"
"""Start what is kept; there is nothing to say."""
RUN_OPEN = "run-open"
"""Start what is kept and say that the index is known to be down."""
WAIT = "wait"
"""Refresh, wait at most `patience`, then start the best there is."""
BEHIND = "behind"
"""Start what is kept; refresh behind."""
REFRESH = "refresh"
"""Refresh first, however long it takes; nothing kept may stand in, or nothing is kept."""
OFFLINE = "offline"
"""Nothing is kept and the network is forbidden: uv's own cache, else the tool beside lastgood, or uv's own error."""

CLOSED, OPEN = "closed", "open"
HOOK_PATIENCE = 1.5
"""Seconds that a hook waits by default."""


def is_fresh(age: float, max_age: float) -> bool:
    """Whether an answer `age` seconds old still counts. A negative age (the clock was set back) is stale, never fresh."""
    return 0 <= age <= max_age


def may_stand_in(age: float, stale_max: float) -> bool:
    """Whether an answer `age` seconds old may stand in during an outage. A negative age is of unknown, finite age."""
    return age <= stale_max


def patience(seconds: float, *, default: bool, hook: bool) -> float:
    """How long to wait for the index. Under a hook runner less, unless the user said how long: a commit waits, and sees nothing."""
    return min(seconds, HOOK_PATIENCE) if default and hook else seconds


def decide(card: "Card | None", mode: str, now: float, breaker: str) -> str:
    """The step that the mode asks for; `breaker` is OPEN while a host of the request is known to be down."""
    if card is None:
        return OFFLINE if mode == "strict-cache" else REFRESH
    if mode == "strict-latest":
        return REFRESH
    age = now - card.asked
    if mode == "strict-cache" or card.held or is_fresh(age, card.max_age):
        return RUN
    if not may_stand_in(age, card.stale_max):
        return REFRESH
    if mode == "prefer-cache":
        return RUN if breaker == OPEN else BEHIND
    return RUN_OPEN if breaker == OPEN else WAIT


def stands_in(card: "Card", mode: str, now: float, *, falls_back: bool) -> bool:
    """Whether what is kept would start with no network; `falls_back` says whether it may for an index that cannot be reached."""
    step = decide(card, mode, now, CLOSED)
    return step in (RUN, BEHIND) or (step == WAIT and falls_back)
