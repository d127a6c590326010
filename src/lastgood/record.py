"""The last-known-good record of one request: JSON, written only under the record's lock, by temporary file, fsync and rename.

Also the card that is derived from it. A record that is damaged is set aside under a dated name and rebuilt from the
manifests that every generation carries, and from what was chosen among them; one of a newer format is left alone.
"""

import os
import time

from lastgood import card as cards
from lastgood import generations, launch, locks, paths, surroundings
from lastgood.errors import Damage, LastgoodError, LaunchFailed, NotNow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 1
HEADER = "lastgood record"
CHOICES = "lastgood choices"
_CHOSEN = ("current", "held", "refused", "hosts", "words", "place", "beside")
"""The fields that no manifest can know, since they change after a generation is kept; every generation carries them, too."""
ASIDE = ".new"
"""How the names of files end that are not yet renamed into place."""
BAD = ".json.bad-"
"""What the name of a damaged record has between its id and the date on which it was set aside."""
KEPT = 3
"""How many generations a record names by itself: the current one, the one before, and one more."""
_REMEMBERED = 10
"""How many releases that did not start a record remembers; what people sent back it remembers until something newer is good."""


_DAMAGE = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError)
"""What reading a table raises that is not what it should be."""


class NewerFormat(Exception):  # noqa: N818 (what was found)
    """The record was written by a newer lastgood; `args[0]` is its format."""


class Generation:
    """One retained environment, as a record names it.

    id          its directory in the store       version     the tool's own version
    dists       {name: version} of everything    digest      what was resolved, as text
    python      its interpreter's version        base        (size, mtime in ns) of that interpreter
    uv          the value of UV it was made with open_files  whether uv raises the limit of open files
    source      uv's environment it was cloned from          kept        when (seconds since the epoch)
    commands    {command: [launch, file, size of the file]} that were checked
    """

    __slots__ = ("base", "commands", "digest", "dists", "id", "kept", "open_files", "python", "source", "uv", "version")

    def __init__(self, **fields: "Any") -> None:
        self.id: str = _text(fields["id"])
        self.version: str = _text(fields["version"])
        self.dists: dict[str, str] = _texts(fields["dists"])
        self.digest: str = _text(fields["digest"])
        self.python: str = _text(fields["python"])
        self.base: tuple[int, int] = (int(fields["base"][0]), int(fields["base"][1]))
        self.uv: str = _text(fields["uv"])
        self.open_files = bool(fields["open_files"])
        self.source: str = _text(fields["source"])
        self.kept = float(fields["kept"])
        self.commands: dict[str, tuple[str, str, int]] = {
            _text(name): (_text(how[0]), _text(how[1]), int(how[2])) for name, how in dict(fields["commands"]).items()
        }
        if not paths.plain(self.id):
            raise ValueError(f"`{self.id}` is no name of a generation")

    def trouble(self, home: str, command: str) -> str:
        """Why it could not start `command`, as a run finds out; "" where it could."""
        if not generations.exists(home, self.id):
            return "the kept environment is gone"
        needed = cards.Card()
        needed.generation = self.id
        needed.launch, needed.file, needed.file_size = self.commands.get(command, ("search", "", 0))
        needed.base_size, needed.base_mtime = self.base
        try:
            launch.intact(home, needed)
        except LaunchFailed as error:
            return str(error)
        return ""

    def troubles(self, home: str) -> str:
        """Why it could not start one of the commands that it was checked for; "" where it could start all."""
        found = (self.trouble(home, command) for command in (*self.commands, ""))
        return next(filter(None, found), "")

    def data(self) -> "dict[str, Any]":
        """The generation as JSON holds it."""
        return {name: getattr(self, name) for name in self.__slots__}


class Record:
    """The last known good of one request.

    id           names the file           request   the fields of the request, for people and near matches
    tool         as the user calls it: by the command that was last used with success, else by what was asked for
    asked        when the index last answered (0: never)
    generations  newest first; `current` is the id of the one that runs
    held         whether refreshes leave `current` alone
    refused      [{version, digest, error, at, by, check}]: what is not taken again; `check` is the user's smoke test that it failed
    hosts        the hosts that must answer, and those that failures named
    configured   those of them where the tool itself came from at the last refresh; None where that is not known
    last         {at, outcome, class, reason, words, status, version, fresh, hasty} of the last refresh that asked the index;
                 `fresh` is the options that asked for news, `hasty` whether someone waited meanwhile
    words        what follows `lastgood run` in the last refresh, up to the tool; none where a credential stands in it
    place        the working directory of the last refresh: `warm --all` asks again from there
    beside       what the hook of the last refresh lists beside its tool

    `stamp` is that of the file as it was read or written, so that a card never vouches for a change that it does not know of.
    """

    __slots__ = (
        "asked",
        "beside",
        "configured",
        "current",
        "generations",
        "held",
        "hosts",
        "id",
        "last",
        "place",
        "refused",
        "request",
        "stamp",
        "tool",
        "words",
    )

    def __init__(self, identity: str, request: "dict[str, Any]", tool: str) -> None:
        self.id = identity
        self.request = request
        self.tool = tool
        self.asked = 0.0
        self.generations: list[Generation] = []
        self.current = ""
        self.held = False
        self.refused: list[dict[str, Any]] = []
        self.hosts: list[str] = []
        self.configured: list[str] | None = None
        self.last: dict[str, Any] = {}
        self.words: list[str] = []
        self.place = ""
        self.beside: list[str] = []
        self.stamp: tuple[str, int, int] | None = None

    def generation(self, identity: str = "") -> "Generation | None":
        """The generation called `identity`, or the current one."""
        wanted = identity or self.current
        return next((one for one in self.generations if one.id == wanted), None)

    def commands(self) -> "set[str]":
        """What it is known to provide."""
        return {name for one in self.generations for name in one.commands}

    def forget(self, identity: str) -> None:
        """Drop a generation that cannot run; the index has to be asked again."""
        self.generations = [one for one in self.generations if one.id != identity]
        if self.current == identity:
            self.current = next((one.id for one in self.best_first()), "")
        self.asked = 0.0

    def lost(self, home: str, command: str) -> str:
        """The version that people chose, by a hold or by going back, and that cannot run any more; "" where there is none."""
        current = self.generation()
        chosen = current is not None and (self.held or self.rolled_back())
        return current.version if current is not None and chosen and current.trouble(home, command) else ""

    def standing_of(self, one: Generation) -> "tuple[float, int]":
        """When the index last answered for a generation (0: nobody knows), and 1 where it is held; both are the current one's."""
        return (self.asked, int(self.held)) if one.id == self.current else (0.0, 0)

    def first_kept(self, new: Generation) -> float:
        """When a new generation counts as kept: what is the same as what runs, built again, takes its place and its age."""
        ran = self.generation()
        return min(new.kept, ran.kept) if ran is not None and ran.digest == new.digest else new.kept

    def promote(self, home: str, kept: Generation) -> None:
        """Let a new generation run. With it stays what ran until now, which a rollback goes to, then the newest of the others."""
        ran, before = self.current, self.generation()
        same = before is not None and before.digest == kept.digest
        # one without a digest is to be replaced (`doctor --fix`), and must not take the place of a good one among those kept
        standing = [one for one in self.generations if one.digest not in ("", kept.digest) and generations.exists(home, one.id)]
        standing.sort(key=lambda one: (one.id != ran, self.sent_back(one)))
        staying = standing[: KEPT - 1]
        self.generations = sorted([kept, *staying], key=lambda one: one.kept, reverse=True)
        self.current = kept.id
        # what was rolled back from and is still kept must not be gone back to; nor taken, where nothing else than before runs now
        staying_away = [one for one in self.refused if one["by"] == "rollback" and (same or self.keeps(one))]
        self.refused = [one for one in staying_away if not _is_the_same(kept, one)]

    def refuse(self, one: "dict[str, Any]") -> None:
        """Remember a release that does not start."""
        others = [old for old in self.refused if old["digest"] != one["digest"]]
        checked = [old for old in others if old["by"] == "check"][1 - _REMEMBERED :]
        self.refused = [*(old for old in others if old["by"] != "check" or old in checked), one]

    def sent_back(self, one: Generation) -> bool:
        """Whether people or a check have refused what a generation is."""
        return any(_is_the_same(one, refused) for refused in self.refused)

    def refuses(self, digest: str, version: str, check: str) -> "dict[str, Any] | None":
        """Why what was resolved is not taken: refused as it is, or a version that was rolled back from.

        What the user's own smoke test refused is looked at again with another one: `check` is the one of now. The version that was
        gone back to may be built again; once something newer than what was sent back is good, the index decides again.
        """
        current = self.generation()
        runs = current.version if current is not None else ""
        for one in self.refused:
            if one["by"] == "rollback" and one["version"] and runs and _newer(runs, one["version"]):
                continue
            if one["digest"] == digest and one["check"] in ("", check):
                return one
            sent_back = one["by"] == "rollback" and one["version"]
            if sent_back and (version != runs or version == sent_back) and not _newer(version, sent_back):
                return one
        return None

    def keeps(self, refused: "dict[str, Any]") -> bool:
        """Whether a generation that is still kept is what was refused."""
        return any(_is_the_same(one, refused) for one in self.generations)

    def rolled_back(self) -> bool:
        """Whether what runs is what somebody went back to, and nothing newer is good."""
        current = self.generation()
        return current is not None and any(one["by"] == "rollback" and one["at"] >= current.kept for one in self.refused)

    def usable(self, home: str) -> "Generation | None":
        """The best generation that still stands: the current one, else the newest of the others that nobody has sent back."""
        return next((one for one in self.best_first() if generations.exists(home, one.id)), None)

    def runs(self, home: str) -> "Generation | None":
        """The best generation that could start the tool: it stands, with its program and, where that is needed, its interpreter."""
        return next((one for one in self.best_first() if not one.trouble(home, self.tool)), None)

    def best_first(self) -> "list[Generation]":
        """The generations, the current one first, then the newest that nobody has sent back."""
        current = self.generation()
        others = sorted((one for one in self.generations if one is not current), key=self.sent_back)
        return [*([current] if current else []), *others]


def _is_the_same(one: "Generation", refused: "dict[str, Any]") -> bool:
    return bool(one.digest == refused["digest"] or (refused["version"] and one.version == refused["version"]))


def _newer(version: str, than: str) -> bool:
    from packaging.version import InvalidVersion, Version  # only a rolled-back record compares versions

    try:
        return Version(version) > Version(than)
    except InvalidVersion:
        return version != than


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _texts(value: object) -> "dict[str, str]":
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no table")
    return {_text(key): _text(item) for key, item in value.items()}


# --- the file -------------------------------------------------------------------------------------------------------


def file_of(home: str, identity: str) -> str:
    """The file of the record called `identity`."""
    return f"{home}/records/{identity}.json"


def lock_of(home: str, identity: str) -> str:
    """The lock file of the record called `identity`: the lease of whoever refreshes it."""
    return f"{home}/records/{identity}.lock"


def exclusive(home: str, identity: str, seconds: float = 5.0) -> "locks.Claim":
    """Hold the record's file for a change: read, change, save. Raises LastgoodError where another process has it that long.

    Not the lease of a refresh (`lock_of`), which lasts as long as the index does not answer: a person who rolls back meanwhile
    must not wait for it. What the refresh then writes takes over what was changed (compare-and-swap).
    """
    try:
        return locks.brief(f"{home}/records/{identity}.write", seconds)
    except locks.Busy as error:
        raise NotNow(f"another process is changing the record of `{slug_of(identity)}`", "try again") from error
    except locks.LockTrouble as error:
        raise LastgoodError(str(error), error.step) from error


def slug_of(identity: str) -> str:
    """The part of a record's id that tells people which tool it is about, and that the names of its generations start with."""
    return identity.rsplit("-", 2)[0]


def parse(text: str) -> Record:
    """The record in `text`. Raises Damage where it is not one, NewerFormat where it is of a newer format."""
    import json  # 7 ms with what it imports: a first run looks for a record while nobody waits for uv yet

    try:
        data = json.loads(text)
        if data["is"] != HEADER:
            raise Damage("not a record")
        if int(data["format"]) > FORMAT:
            raise NewerFormat(int(data["format"]))
        record = Record(_text(data["id"]), _request(data["request"]), _text(data["tool"]))
        record.asked = float(data["asked"])
        record.current = _text(data["current"])
        record.held = bool(data["held"])
        record.generations = [Generation(**one) for one in data["generations"]]
        record.refused = [_refusal(one) for one in data["refused"]]
        record.hosts = [_text(host) for host in data["hosts"]]
        configured = data.get("configured")
        record.configured = None if configured is None else [_text(host) for host in configured]
        record.last = _last(data["last"])
        record.words = [_text(word) for word in data.get("words", [])]
        record.place = _text(data.get("place", ""))
        record.beside = [_text(line) for line in data.get("beside", [])]
    except (*_DAMAGE, RecursionError) as error:
        raise Damage(f"{type(error).__name__}: {error}") from error
    return record


def _request(data: "dict[str, Any]") -> "dict[str, Any]":
    """The fields of a request: texts, lists of texts, and lists of [name, value]. Raises one of _DAMAGE."""
    found = dict(data)
    for name in ("options", "variables"):
        found[name] = [[_text(key), None if value is None else _text(value)] for key, value in found.get(name, [])]
    for name in ("extras", "files"):
        found[name] = [_text(one) for one in found.get(name, [])]
    for name in ("package", "specifier", "platform", "interpreter"):
        found[name] = _text(found.get(name, ""))
    return found


def _last(data: "dict[str, Any]") -> "dict[str, Any]":
    """What is known of the last refresh. Raises one of _DAMAGE."""
    found = dict(data)
    found |= {name: kind(found[name]) for name, kind in (("at", float), ("status", int)) if name in found}
    for name in ("outcome", "reason", "version", "words", "class", "fresh"):
        _text(found.get(name, ""))
    return found


def _refusal(data: "dict[str, Any]") -> "dict[str, Any]":
    return {
        "version": _text(data["version"]),
        "digest": _text(data["digest"]),
        "error": _text(data["error"]),
        "at": float(data["at"]),
        "by": _text(data["by"]),
        "check": _text(data.get("check", "")),
    }


def text_of(record: Record) -> str:
    """The record as JSON."""
    data: dict[str, Any] = {"is": HEADER, "format": FORMAT}
    data.update({name: getattr(record, name) for name in record.__slots__ if name not in ("generations", "stamp")})
    data["generations"] = [one.data() for one in record.generations]
    import json  # see `parse`

    return json.dumps(data, indent=1, sort_keys=True) + "\n"


def load(home: str, identity: str) -> "Record | None":
    """The record called `identity`; None where there is none. Raises Damage, NewerFormat, OSError."""
    try:
        with open(file_of(home, identity), encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            record = parse(file.read())
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise Damage("not text") from error
    if record.id != identity:
        raise Damage("another request's record")
    record.stamp = (file_of(home, identity), found.st_size, found.st_mtime_ns)
    return record


def save(home: str, record: Record) -> None:
    """Replace the record's file. The caller holds it (`exclusive`)."""
    write(file_of(home, record.id), text_of(record))
    record.stamp = surroundings.stamp(file_of(home, record.id))
    _leave_choices(home, record)


def write(path: str, text: str, *, durable: bool = True, aside: str = "") -> None:
    """Write a file whole or not at all: temporary file, fsync, rename. Raises OSError and then leaves nothing behind.

    What is derived and carries its own end mark need not be `durable`: it is made again. The temporary file is called as `aside`
    is, or as the file: in a place where `gc` looks for what was left by who was killed.
    """
    aside = f"{aside or path}.{os.getpid()}{ASIDE}"
    try:
        with open(aside, "w", encoding="utf-8", errors="surrogateescape", opener=_private) as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        now = time.time_ns()
        os.utime(aside, ns=(now, now))  # a card stamps this file: two writes within one tick of the file system must differ
        os.replace(aside, path)
    except BaseException:
        if os.path.lexists(aside):
            os.unlink(aside)
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def set_aside(home: str, identity: str) -> str:
    """Move a damaged record out of the way under a dated name; that name, "" where it cannot be moved."""
    name = f"{identity}{BAD}{time.strftime('%Y%m%dT%H%M%S')}"
    try:
        os.replace(file_of(home, identity), f"{home}/records/{name}")
    except OSError:
        return ""
    return name


def look(home: str, identity: str, slug: str) -> "Record | None":
    """The record, or what it would be rebuilt as where its file is damaged, cannot be read or is gone. Raises NewerFormat."""
    try:
        found = load(home, identity)
    except (Damage, OSError):
        found = None
    return found if found is not None else rebuild(home, identity, slug)


def repair(home: str, identity: str, slug: str) -> "tuple[Record | None, str]":
    """The record as `look` finds it; and the name a damaged file was set aside under, "" where there was none or it had to stay.

    Raises NewerFormat. The caller holds the record's file (`exclusive`), or what another process has just mended would be moved.
    """
    try:
        load(home, identity)
    except Damage:
        return rebuild(home, identity, slug), set_aside(home, identity)
    except OSError:
        return rebuild(home, identity, slug), ""
    return look(home, identity, slug), ""


def rebuild(home: str, identity: str, slug: str) -> "Record | None":
    """A record made anew from the manifests of the generations that belong to it; None where there are none.

    The index answered when the newest of them was kept; whether it did later is not known.
    """
    found: list[tuple[Generation, dict[str, Any], str]] = []
    try:
        names = [name for name in os.listdir(home + "/generations") if name.startswith(slug)]
    except OSError:
        return None
    for name in names:
        data = _manifest(home, name)
        if data.get("record") != identity:
            continue
        try:
            found.append((Generation(**{**data["generation"], "id": name}), _request(data["request"]), _text(data["tool"])))
        except _DAMAGE:
            continue  # a generation with a damaged manifest cannot be run from
    if not found:
        return None
    found.sort(key=lambda one: one[0].kept, reverse=True)
    _, request, tool = found[0]
    record = Record(identity, request, tool)
    record.generations = [one for one, _, _ in found]
    record.asked = found[0][0].kept
    _take_choices(home, record)
    staying = record.best_first()[:KEPT]
    record.generations = [one for one in record.generations if one in staying]
    return record


def _leave_choices(home: str, record: Record) -> None:
    """Leave what was chosen in every generation, so that a record that is lost is not rebuilt as what was sent back."""
    import json  # see `parse`

    chosen = {name: getattr(record, name) for name in _CHOSEN}
    text = json.dumps({"is": CHOICES, "format": FORMAT, "at": time.time(), "record": record.id, **chosen}, sort_keys=True)
    for one in record.generations:
        known = _choices(home, one.id, record.id)
        if {name: known.get(name) for name in _CHOSEN} == chosen:
            continue
        try:
            place = f"{home}/generations/{one.id}/{generations.CHOICES}"
            write(place, text + "\n", durable=False, aside=file_of(home, record.id))
        except OSError:
            continue  # it is gone from disk, or the disk is full: the record itself is written


def _take_choices(home: str, record: Record) -> None:
    """Decide as it was decided last, where a generation still says so; else the newest runs that nobody sent back."""
    known = [_choices(home, one.id, record.id) for one in record.generations]
    last: dict[str, Any] = max(known, key=lambda one: float(one.get("at", 0.0)))
    record.held, record.refused, record.hosts = last.get("held", False), last.get("refused", []), last.get("hosts", [])
    record.words, record.place, record.beside = last.get("words", []), last.get("place", ""), last.get("beside", [])
    kept = [one for one in record.generations if not record.sent_back(one)]
    chosen = record.generation(last.get("current", "")) or [*kept, *record.generations][0]
    record.current = chosen.id


def _choices(home: str, name: str, identity: str) -> "dict[str, Any]":
    """What a generation says was chosen for the record called `identity`; nothing where that cannot be read."""
    data = _json(f"{home}/generations/{name}/{generations.CHOICES}")
    if data.get("is") != CHOICES or data.get("format") != FORMAT or data.get("record") != identity:
        return {}
    try:
        return {
            "at": float(data["at"]),
            "current": _text(data["current"]),
            "held": bool(data["held"]),
            "refused": [_refusal(one) for one in data["refused"]],
            "hosts": [_text(host) for host in data["hosts"]],
            "words": [_text(word) for word in data.get("words", [])],
            "place": _text(data.get("place", "")),
            "beside": [_text(line) for line in data.get("beside", [])],
        }
    except _DAMAGE:
        return {}


def owners(home: str) -> "set[str]":
    """The ids of all records that the manifests of generations name."""
    try:
        names = os.listdir(home + "/generations")
    except OSError:
        return set()
    found = {_manifest(home, name).get("record") for name in names}
    return {name for name in found if isinstance(name, str) and paths.plain(name)}


def _manifest(home: str, name: str) -> "dict[str, Any]":
    """What a generation says of itself; nothing where it cannot be read."""
    return _json(f"{home}/generations/{name}/{generations.MANIFEST}")


def _json(path: str) -> "dict[str, Any]":
    """The table in a file; nothing where it cannot be read."""
    import json  # see `parse`

    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def write_manifest(place: str, record: Record, generation: Generation) -> None:
    """Leave in a staged environment what a lost record is rebuilt from."""
    import json  # see `parse`

    data = {"record": record.id, "request": record.request, "tool": record.tool, "generation": generation.data()}
    write(f"{place}/{generations.MANIFEST}", json.dumps(data, indent=1, sort_keys=True) + "\n")


def identities(home: str, prefix: str = "") -> "list[str]":
    """The ids of all records whose id starts with `prefix`, sorted."""
    try:
        names = os.listdir(home + "/records")
    except OSError:
        return []
    return sorted(name[: -len(".json")] for name in names if name.endswith(".json") and name.startswith(prefix))
