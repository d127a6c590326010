"""From words and surroundings to the request: the table applied, the files read, the fingerprint taken.

Off the hot path: this is what a launch card remembers the outcome of.
"""

import os
from _blake2 import blake2b  # `hashlib` loads OpenSSL: 3 ms before uvx starts

from lastgood import generations, outage, paths, project, request, surroundings, targets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from lastgood.project import Configuration, Entry
    from lastgood.request import Words
    from lastgood.scene import Scene
    from lastgood.targets import Target

PINNED = "1d"
"""How long an answer counts for an exact pin: only the tool's dependencies can move, and nobody should wait for that."""


class Installed(request.Handover):
    """`uv tool install` has the tool: uvx prefers that, and needs no network for it."""


class Request:
    """What one run asks for.

    id         names the record; `family` is the id without the interpreter
    fields     what made it, for people and for near matches; no credentials
    target     what is asked for          tool       as people call it
    command    what is started            searched   whether `--from` was given, so that PATH may provide the command
    source     the value of --from for uvx
    options    uvx's options without those of output; `extra` those of them that the table adds
    plain      the whole command line for plain uvx, the table applied
    mode, max_age, patience, stale_max, fallback_on   the settings, in seconds
    stamps     of every file that decided          urls    of indexes, that options and variables name
    uv_files   uv's configuration files            check   the user's own smoke test
    """

    __slots__ = (
        "_indexes",
        "check",
        "command",
        "configuration",
        "extra",
        "fallback_on",
        "family",
        "fields",
        "id",
        "max_age",
        "mode",
        "options",
        "patience",
        "plain",
        "searched",
        "slug",
        "source",
        "stale_max",
        "stamps",
        "target",
        "tool",
        "urls",
        "uv_files",
    )

    id: str
    family: str
    fields: "dict[str, Any]"
    target: "Target"
    tool: str
    command: str
    searched: bool
    source: str
    options: "list[str]"
    extra: "list[str]"
    plain: "list[str]"
    mode: str
    max_age: float
    patience: float
    stale_max: float
    fallback_on: "tuple[str, ...]"
    stamps: "list[tuple[str, int, int]]"
    urls: "list[str]"
    uv_files: "list[str]"
    check: "list[str]"
    slug: str
    configuration: "Configuration"

    def __init__(self) -> None:
        self._indexes: list[str] | None = None

    @property
    def falls_back(self) -> bool:
        """Whether something may stand in for an index that does not answer."""
        return outage.UNREACHABLE in self.fallback_on

    @property
    def hosts(self) -> "list[str]":
        """The hosts that must answer, that of the tool itself first: the address's own, else those of the indexes.

        A tool at an address may need no index; whether it does, its record knows.
        """
        return self.addressed if self.target.url else list(dict.fromkeys([*self.indexes, *self.addressed]))

    @property
    def sources(self) -> "list[str]":
        """Those of them where the tool itself comes from."""
        return self.addressed[:1] if self.target.url else self.indexes

    @property
    def addressed(self) -> "list[str]":
        """The hosts of the addresses that are asked for, the tool's before those of what is beside it."""
        beside = [option.removeprefix("--with=") for option in self.options if option.startswith("--with=")]
        found = [url for value in (self.target.url, *beside) for url in _addresses(value, outage.OF_GIT)]
        return list(dict.fromkeys(map(outage.host_of, found)))

    @property
    def indexes(self) -> "list[str]":
        """The hosts of the indexes that the settings name: the first of them are where a refresh asks.

        Looked up when they are asked for: to read uv's files takes 10 ms that uvx need not wait for.
        """
        if self._indexes is None:
            values = [*self.urls, *project.uv_index_urls(self.uv_files)]
            found = [url for value in values for url in _addresses(value)]
            self._indexes = list(dict.fromkeys(map(outage.host_of, found)))
        return self._indexes


def _addresses(value: str, schemes: "Sequence[str]" = outage.OF_HTTP) -> "list[str]":
    return outage.addresses(request.without_credentials(value), schemes)


def identify(scene: "Scene") -> Request:
    """The request of a run. Raises SettingError, and Handover (with the words to hand over) for what is plain uvx's.

    The scene stays as it is: identified again, it comes to the same.
    """
    words, environ = scene.words.copy(), scene.environ
    tool, package = table_names(words)
    user = surroundings.user_config(environ)
    configuration = project.load(scene.configs, user, environ, words.flags, tool, scene.cwd, package)
    made = Request()
    made.configuration = configuration
    _apply_table(made, words, configuration, environ, scene.beside)
    try:
        made.target = targets.parse(made.source)
        if not made.searched and made.source == "run":
            raise request.Handover("`run` is a word that uv explains")
        _refuse_installed(made, words, environ)
        _fingerprint(made, scene, words)
    except request.Handover as refusal:
        words.plain = made.plain
        refusal.words = words
        raise
    _settle(made, configuration)
    made.command = words.target if made.searched else made.target.command
    made.tool = (made.command or made.target.name or made.slug).rpartition("/")[2]
    made.urls = _index_urls(words, environ)
    return made


def table_names(words: "Words") -> "tuple[str, str]":
    """What an entry of the table may be called to count: the command, and the package that `--from` names ("" without)."""
    given = words.value("--from")
    try:
        found = targets.parse(words.target if given is None else given)
    except request.Handover:
        return "", ""
    if given is None:
        return found.command, ""
    return (words.target, found.name) if found.kind == "registry" else ("", "")


def _apply_table(
    made: Request, words: "Words", configuration: "Configuration", environ: "Mapping[str, str]", beside: "Sequence[str]"
) -> None:
    """Fill in source, options and the plain command line: what the command line says wins over the table.

    What a hook lists beside the tool comes along, as it would where the tool is in the hook's own environment.
    """
    given = words.value("--from")
    made.searched = given is not None
    made.source = (given if given is not None else words.target).strip()
    made.check = []
    extra: list[str] = []
    positional = words.target
    entry = configuration.entry
    if entry is not None:
        made.check = entry.check
        found = targets.parse(made.source)
        if given is None and entry.package and found.kind == "registry":
            made.source = _from_package(entry, _version_of(found), found.extras)
            made.searched = True
            positional = found.command
        elif found.kind == "registry":
            made.source = _in_full(found, entry) or made.source
            positional = positional if made.searched else made.source
        extra += ["--with=" + name for name in entry.with_ if name not in words.values("--with")]
        if entry.python and not words.value("--python") and not environ.get("UV_PYTHON"):
            extra.append("--python=" + entry.python)
    cooldown = configuration.text("cooldown")
    if cooldown and words.value("--exclude-newer") is None and not environ.get("UV_EXCLUDE_NEWER"):
        extra.append("--exclude-newer=" + cooldown)
    given_with = [*words.values("--with"), *(word.removeprefix("--with=") for word in extra)]
    extra += ["--with=" + line for line in _plugins(made.source, beside) if line not in given_with]
    made.extra = extra
    made.options = [*request.kept_options(words), *extra]
    made.plain = _plain(made, words, extra, positional, given)
    words.target = positional
    _add(words, extra)


def _plugins(source: str, beside: "Sequence[str]") -> "list[str]":
    try:
        return targets.plugins(beside, targets.parse(source).name) if beside else []
    except request.Handover:
        return []  # plain uvx will say what is wrong with it


def _from_package(entry: "Entry", version: str, extras: "Sequence[str]") -> str:
    """The package of an entry, with the version and extras that the command line asks for, or else the entry's own."""
    package = targets.parse(entry.package)
    if package.kind != "registry":
        return entry.package
    both = "@latest" if package.latest else ",".join(part for part in (package.specifier, entry.version) if part)
    wanted = sorted({*package.extras, *entry.extras, *extras})
    return package.command + (f"[{','.join(wanted)}]" if wanted else "") + (version or both)


def _in_full(found: "Target", entry: "Entry") -> str:
    """A target with the extras of its entry, and with its version where the target says none; "" where that adds nothing."""
    named = targets.parse(entry.package) if entry.package else None
    version = entry.version or (named.specifier if named is not None else "")
    extras = sorted({*found.extras, *entry.extras, *(named.extras if named is not None else ())})
    if not version and extras == list(found.extras):
        return ""
    return found.command + (f"[{','.join(extras)}]" if extras else "") + (_version_of(found) or version)


def _plain(made: Request, words: "Words", extra: "list[str]", positional: str, given: "str | None") -> "list[str]":
    """The whole command line for plain uvx, the table applied."""
    before = words.plain[: words.cut]
    dashes = before[-1:] == ["--"]
    before = before[:-1] if dashes else before
    rest = [positional, *words.args]
    if given is not None:
        rest = words.plain[words.cut :]
        if made.source != given.strip():
            before = _with_source(before, made.source)
    elif made.searched:
        extra = ["--from=" + made.source, *extra]
    return [*before, *extra, *(["--"] if dashes else []), *rest]


def _with_source(before: "list[str]", source: str) -> "list[str]":
    """The options of a command line with another value of `--from`."""
    out: list[str] = []
    for word in before:
        if out[-1:] == ["--from"]:
            out.append(source)
        else:
            out.append("--from=" + source if word.startswith("--from=") else word)
    return out


def _version_of(found: "Target") -> str:
    return "@latest" if found.latest else found.specifier


def _add(words: "Words", extra: "list[str]") -> None:
    for word in extra:
        name, _, value = word.partition("=")
        words.options.append((name, value, request.every_option()[name][1]))


def _refuse_installed(made: Request, words: "Words", environ: "Mapping[str, str]") -> None:
    """Hand over where `uv tool install` has the tool: uvx prefers it, needs no network, and its environment cannot be cloned."""
    isolated = any(name == "--isolated" for name, _, _ in words.options) or environ.get("UV_ISOLATED")
    if made.target.name and not made.target.latest and not isolated:
        receipt = surroundings.receipt(environ, made.target.name)
        if os.path.exists(receipt) and not is_unfit(made.target, receipt):
            raise Installed(f"`{made.target.name}` is installed with `uv tool install`, which uvx prefers", words)


def is_unfit(target: "Target", receipt: str) -> bool:
    """Whether uvx passes by what is installed beside `receipt`, since it is not a version that the target names.

    What else makes uvx pass by (options, extras) only uv can tell: there nothing is kept, and nothing is said to be.
    """
    if not target.specifier:
        return False
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        version = generations.installed(os.path.dirname(receipt)).get(target.name, "")
        return not SpecifierSet(target.specifier).contains(version, prereleases=True)
    except (OSError, generations.NotRetainable, InvalidSpecifier, InvalidVersion):
        return False


def _fingerprint(made: Request, scene: "Scene", words: "Words") -> None:
    """Name the request by what decides it; `words` are those of the scene with the table applied."""
    environ = scene.environ
    stamps = [surroundings.stamp(path) for path in made.configuration.files]
    files = made.uv_files = surroundings.uv_files(words, environ)
    contents = [_content(path, stamps) for path in files]
    named = [_file(path) for path in request.files_named(words, environ)]
    contents += [_requirements(path, stamps) for path in named if path not in files]
    if request.ends_within_a_password(words, environ):  # uv's own words would bring the rest of it into the record
        raise request.Handover("a sign ends the address of an index: in a password a blank is written `%20`, a comma `%2C`")
    contents += [_place(os.path.abspath(path), stamps) for path in request.places_named(words, environ)]
    if made.target.name:
        stamps.append(surroundings.stamp(surroundings.receipt(environ, made.target.name)))
    target = made.target
    public = request.without_credentials(target.url)
    made.slug = paths.slug(target.name or public.rpartition("/")[2].partition("@")[0].partition("#")[0])
    made.fields = {
        "package": target.name or public,
        "extras": list(target.extras),
        "specifier": "@latest"
        if target.latest
        else target.specifier
        if target.kind == "registry"
        else request.without_credentials(target.text),
        "options": [list(pair) for pair in request.options(words)],
        "variables": [list(pair) for pair in request.variables(environ)],
        "files": [content for content in contents if content],
        "platform": _platform(),
        "interpreter": scene.interpreter,
    }
    without = {name: value for name, value in made.fields.items() if name != "interpreter"}
    made.family = f"{made.slug}-{_digest(repr(sorted(without.items())), 12)}"
    made.id = f"{made.family}-{_digest(scene.interpreter, 6)}"
    made.stamps = stamps


def _platform() -> str:
    """System, machine and C library; without the module `platform`, which reads the whole interpreter to find the last."""
    system = os.uname()
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        library = ""  # not glibc
    return "-".join((system.sysname, system.machine, library.replace(" ", "-")))


def _digest(text: str, length: int) -> str:
    return str(blake2b(text.encode("utf-8", "surrogateescape")).hexdigest())[:length]


def _content(path: str, stamps: "list[tuple[str, int, int]]") -> str:
    """A digest of what a file says, credentials aside; "" where there is none."""
    stamps.append(surroundings.stamp(path))
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError:
        return ""
    return f"{os.path.basename(path)}:{_digest(request.without_credentials(text), 16)}"


def _file(named: str) -> str:
    """The path of a file that an option or a variable names; hands over an address, of which no part is shown."""
    if "://" in named:
        raise request.Handover("an address stands in the place of a file")
    return os.path.abspath(named)


def _requirements(path: str, stamps: "list[tuple[str, int, int]]") -> str:
    """As `_content`; hands over what leads on to other files, or is none."""
    if not os.path.isfile(path):
        raise request.Handover(f"`{os.path.basename(path)}` is no file here")
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.strip() for line in file]
    if path.endswith((".toml", ".py")) or any(
        line.startswith(("-r", "-c", "-e", "--req", "--con", "--edit", ".", "/")) for line in lines
    ):
        raise request.Handover(f"`{os.path.basename(path)}` names other files")
    return _content(path, stamps)


def _place(path: str, stamps: "list[tuple[str, int, int]]") -> str:
    """A digest of a local index or find-links directory: the names, sizes and times in it."""
    stamps.append(surroundings.stamp(path))
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError:
        return f"place:{path}"
    listed = [(entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries]
    return f"place:{path}:{_digest(repr(listed), 16)}"


def _settle(made: Request, configuration: "Configuration") -> None:
    """The settings of this request: an exact pin and `@latest` have defaults of their own."""
    made.mode = configuration.mode()
    made.max_age = configuration.seconds("max-age")
    made.patience = configuration.seconds("patience")
    made.stale_max = configuration.seconds("stale-max")
    made.fallback_on = configuration.classes()
    target = made.target
    if target.exact and configuration.where("mode") == "default":
        made.mode = "prefer-cache"
        configuration.settle("mode", made.mode, "an exact pin")
    if target.exact and configuration.where("max-age") == "default":
        configuration.settle("max-age", PINNED, "an exact pin")
        made.max_age = configuration.seconds("max-age")
    if target.latest:
        made.max_age = 0.0
        configuration.settle("max-age", "0", "`@latest`")


def _index_urls(words: "Words", environ: "Mapping[str, str]") -> "list[str]":
    values = [value for value in request.places_of(words) if "://" in value]
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"):
        values += request.values_of(name, environ)
    return values
