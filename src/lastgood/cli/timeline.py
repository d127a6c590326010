"""The history of one record as people read it; shared by `history` and `report`. Words only."""

from lastgood import breaker, differences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from lastgood.record import Record

_MOMENT = 2.0  # seconds


def of(record: "Record", events: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """The events of a record, and of its hosts since it is there, oldest first; what the bounded history forgot is put back."""
    mine = [event for event in events if event.get("record") == record.id]
    known = {event.get("version") for event in mine if event["event"] == "new"}
    mine += [
        {"at": one.kept, "event": "new", "version": one.version, "record": record.id, "before": ""}
        for one in record.generations
        if one.version not in known
    ]
    told = {event.get("version") for event in mine if event["event"] == "refused"}
    mine += [
        {"at": one["at"], "event": "refused", "version": one["version"], "reason": one["error"]}
        | {"tool": record.tool, "record": record.id}
        for one in record.refused
        if one["by"] == "check" and one["version"] not in told
    ]
    first = min((float(event["at"]) for event in mine), default=0.0)
    others = [event for event in events if event.get("record") != record.id and event.get("host") in record.hosts]
    mine += [event for event in others if event["event"] in ("outage", "recovered") and float(event["at"]) >= first]
    return _after_rollbacks(sorted(mine, key=lambda event: float(event["at"])))


def _after_rollbacks(events: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """The same; a release that came while somebody rolled back came after what ran then, not after what its refresh had found."""
    out: list[dict[str, Any]] = []
    back = ""
    for event in events:
        wrong = event["event"] == "new" and event.get("before") and back not in ("", event["before"])
        out.append({**event, "before": back, "changes": []} if wrong else event)  # what moved is told of the other one
        if event["event"] in ("new", "rollback"):
            back = str(event.get("version", "")) if event["event"] == "rollback" else ""
    return out


def asked_for(records: "Sequence[Record]") -> "list[str]":
    """What each of several records keeps something for, told from the others of its tool: `any version`, `>=2 --with=lxml`."""
    labels = differences.told_apart([differences.label(one.tool, one.request) for one in records], [one.request for one in records])
    return [label.removeprefix(one.tool).strip() or "any version" for one, label in zip(records, labels, strict=True)]


def grouped(events: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Runs of the same event become one with a `times`: an outage day is one line, not a thousand."""
    out: list[dict[str, Any]] = []
    for event in _causes_first(events):
        last = out[-1] if out else None
        same = last is not None and all(last.get(name) == event.get(name) for name in ("event", "version", "reason", "host"))
        if last is not None and same and event["event"] in ("fallback", "outage", "answer", "local"):
            last["times"] += 1
        else:
            out.append({**event, "times": 1})
    return out


def _causes_first(events: "Sequence[dict[str, Any]]") -> "list[dict[str, Any]]":
    """The same; a failure before what stood in for it: a run does not wait until its refresh has written down the failure."""
    out: list[dict[str, Any]] = []
    for event in events:
        place = len(out)
        if event["event"] == "outage":
            while place and out[place - 1]["event"] == "fallback" and event["at"] - out[place - 1]["at"] < _MOMENT:
                place -= 1
        out.insert(place, event)
    return out


def saved(events: "Sequence[dict[str, Any]]") -> int:
    """How many runs something stood in for while the index was down."""
    return sum(event["event"] == "fallback" and event.get("down", True) for event in events)


def _after(version: str, before: str) -> str:
    """What a release came after; the same version may be built again, with other packages beside it or another Python."""
    return ", built again" if before == version else f", after {before}" if before else ""


def _is_newer(version: str, than: str) -> bool:
    from packaging.version import InvalidVersion, Version  # only where somebody has gone back

    try:
        return Version(version) > Version(than)
    except InvalidVersion:
        return False


def told(event: "dict[str, Any]") -> str:
    """One event of those that are `grouped`, in words."""
    kind, version, reason = event["event"], event.get("version", ""), event.get("reason", "")
    before = event.get("before", "")
    forward = kind == "rollback" and _is_newer(version, before)  # by `--to`, after somebody went back
    times = f" ({event['times']} times)" if event["times"] != 1 else ""
    host = breaker.shown(str(event.get("host") or "")) or "the index"
    words = {
        "new": f"{version} is good" + _after(version, before),
        "refused": f"{version} refused: {reason}",
        "outage": f"{host} {'answered with an error' if reason.startswith('HTTP ') else 'did not answer'}: {reason}",
        "recovered": f"{host} answers again (down: {reason})",
        "answer": f"the index answered without a release: {reason}",
        "local": f"could not ask: {reason}",
        "fallback": f"{version} stood in",
        "rollback": f"{'moved' if forward else 'rolled back'} to {version} from {before}",
        "hold": f"{version} held",
        "unhold": f"{version} let go",
    }
    return words.get(kind, str(kind)) + times
