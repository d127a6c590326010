"""What lastgood keeps, as a test sees it and as time would change it. Read and written with lastgood's own readers and writers.

grow_old(sandbox, 3600)                    # the index was last asked an hour earlier than it was
trip(sandbox, index.host)                  # a failure a moment ago: the breaker of a host is open
retry_now(sandbox)                         # the time of the next try has come: open breakers are half-open
assert open_hosts(sandbox) == {index.host: "HTTP 503"}
assert own_lines(result) == []             # what lastgood itself said, line by line; the rest is `others_words(result)`
keep(sandbox)                              # one run, so that a good demo-tool is kept, and nothing goes on behind
expect_version(sandbox.lastgood(...), "1.0")
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from lastgood import breaker, locks, surroundings
from lastgood import card as cards
from lastgood import record as records
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from lastgood.record import Record
    from tests.support.sandbox import Result, Sandbox

OWN = "lastgood: "


def keep(sandbox: Sandbox, *words: str, version: str = "1.0") -> None:
    """Run the demo tool once, with nothing to say, and wait for what goes on behind."""
    expect_version(sandbox.lastgood("run", *(words or ("demo-tool",)), "--version"), version)
    sandbox.wait_quiet()


def expect_version(result: Result, version: str, *lines: str) -> None:
    """The demo tool ran in that version, and lastgood said exactly these lines."""
    assert (result.status, result.out, own_lines(result)) == (0, f"demo-tool {version}\n", list(lines)), result


def own_lines(result: Result) -> list[str]:
    """Return the lines of stderr that lastgood said, without their prefix."""
    return [line.removeprefix(OWN) for line in result.err.splitlines() if line.startswith(OWN)]


def others_words(result: Result) -> str:
    """Return stderr without the lines that lastgood said."""
    return "".join(line for line in result.err.splitlines(keepends=True) if not line.startswith(OWN))


def all_records(sandbox: Sandbox) -> list[Record]:
    """Return every record of the home."""
    home = str(sandbox.home)
    found = [records.load(home, identity) for identity in records.identities(home)]
    return [record for record in found if record is not None]


def only_record(sandbox: Sandbox) -> Record:
    """Return the record of a home that has one."""
    (record,) = all_records(sandbox)
    return record


def grow_old(sandbox: Sandbox, seconds: float) -> None:
    """Let every record, and the cards that still follow from it, be that much older than it is.

    A refresh that still goes on behind writes its record first: it would be younger again.
    """
    home = str(sandbox.home)
    for record in all_records(sandbox):
        lock = records.lock_of(home, record.id)
        wait_for(lambda lock=lock: not locks.is_held(lock), f"the refresh that holds {lock}")  # type: ignore[misc]
    texts = {path: path.read_text("utf-8", "surrogateescape") for path in (sandbox.home / "cards").iterdir()}
    valid = {path: text for path, text in texts.items() if surroundings.unchanged(cards.read(text).stamps)}
    for record in all_records(sandbox):
        record.asked -= seconds
        record.last["at"] -= seconds  # or the next run takes the refresh before for one that has just ended
        records.save(home, record)
        for path, text in valid.items():
            card = cards.read(text)
            if card.record == record.id:
                own = records.file_of(home, record.id)
                card.asked = record.asked
                card.stamps = [surroundings.stamp(own) if stamp[0] == own else stamp for stamp in card.stamps]
                path.write_text(cards.write(card), "utf-8", "surrogateescape")


def trip(sandbox: Sandbox, host: str, reason: str = "connection refused") -> None:
    """Open the breaker of a host as a failure just now would have."""
    breaker.trip(str(sandbox.home), host, reason, time.time())


def retry_now(sandbox: Sandbox) -> None:
    """Let the time of the next try come for every host that is down."""
    for path in breaker_files(sandbox):
        fields = dict(line.split(" ", 1) for line in path.read_text("utf-8").splitlines()[1:])
        late = float(fields["until"]) - time.time() + 1
        fields |= {name: f"{float(fields[name]) - late:.3f}" for name in ("since", "until")}
        text = "".join(f"{name} {value}\n" for name, value in fields.items())
        path.write_text(f"{breaker.HEADER}\n{text}", "utf-8")


def open_hosts(sandbox: Sandbox) -> dict[str, str]:
    """Return every host that was down when last asked, and why."""
    found = {}
    for path in breaker_files(sandbox):
        fields = dict(line.split(" ", 1) for line in path.read_text("utf-8").splitlines()[1:])
        found[fields["host"]] = fields["reason"]
    return found


def breaker_files(sandbox: Sandbox) -> list[Path]:
    """Return the file of every breaker."""
    places = sorted(Path(sandbox.home, "hosts").glob("*"))
    return [path for path in places if path.read_text("utf-8").startswith(breaker.HEADER)]
