"""Configuration: `[tool.lastgood]` of a project, a lastgood.toml, the user's own file; the only importer of tomllib.

Precedence, weakest first: default, user file, project file, the tool's own entry in the table, environment, flag. Every
value knows where it came from. Unknown keys are an error with a suggestion.
"""

import os

from lastgood import paths, request, settings, targets
from lastgood.errors import SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_ENTRY_TEXTS = ("version", "from", "python")
_LONGEST_VALUE = 100  # lines
_ENTRY_LISTS = ("with", "extras", "check")
_FILE_KEYS = tuple(setting.key for setting in settings.SETTINGS if setting.key)
_ENTRY_KEYS = (*_ENTRY_TEXTS, *_ENTRY_LISTS, *_FILE_KEYS)


class Entry:
    """One tool of the table: what its request gets where the command line says nothing of it.

    `where` names file and key for people; `origin` is the same for `line_of`.
    """

    __slots__ = ("check", "extras", "origin", "package", "python", "values", "version", "where", "with_")

    def __init__(self, where: str, origin: "tuple[str, tuple[str, ...]]") -> None:
        self.where = where
        self.origin = origin
        self.version = ""
        self.package = ""
        self.python = ""
        self.with_: list[str] = []
        self.extras: list[str] = []
        self.check: list[str] = []
        self.values: dict[str, str] = {}


class Configuration:
    """What files, environment and flags say together.

    texts   {setting: (text, where it came from)}   tools   {tool: Entry}
    files   every file that was read or looked for  spoke   those that say something to lastgood
    origins {setting: (file, keys)} of those that a file says
    """

    __slots__ = ("entry", "files", "origins", "spoke", "texts", "tools")

    def __init__(self) -> None:
        self.texts = {setting.name: (setting.default, "default") for setting in settings.SETTINGS}
        self.tools: dict[str, Entry] = {}
        self.files: list[str] = []
        self.spoke: list[str] = []
        self.origins: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.entry: Entry | None = None

    def settle(self, name: str, text: str, where: str) -> None:
        """Let something else than a file decide a setting."""
        self.texts[name] = (text, where)
        self.origins.pop(name, None)

    def text(self, name: str) -> str:
        """The text of a setting."""
        return self.texts[name][0]

    def where(self, name: str) -> str:
        """Where a setting came from."""
        return self.texts[name][1]

    def seconds(self, name: str) -> float:
        """A duration in seconds. Raises SettingError."""
        text, where = self.texts[name]
        return settings.duration(text, where)

    def mode(self) -> str:
        """The mode. Raises SettingError."""
        return settings.mode(*self.texts["mode"])

    def classes(self) -> "tuple[str, ...]":
        """The failure classes to fall back on. Raises SettingError."""
        return settings.classes(*self.texts["fallback-on"])

    def check(self) -> None:
        """Raise SettingError where any setting cannot be used, needed now or not."""
        for setting in settings.SETTINGS:
            setting.check(*self.texts[setting.name])


def load(
    configs: "list[str]",
    user_file: str,
    environ: "Mapping[str, str]",
    flags: "Mapping[str, str]",
    tool: str = "",
    base: str = "",
    package: str = "",
) -> Configuration:
    """Read the nearest of `configs` that speaks of lastgood, and the user's file. Raises SettingError naming file and key.

    `tool` is the entry of the table that counts; where `--from` names a `package`, only an entry that is about that one, called as
    the tool or as the package. Paths are shown relative to `base` where they lie in it.
    """
    found = Configuration()
    found.files.append(user_file)
    _hear(found, _read(user_file, base), user_file, base)
    for path in configs:
        if left_by_anyone(path):
            continue
        found.files.append(path)
        section = _read(path, base)
        if section is not None:
            _hear(found, section, path, base)
            break
    found.entry = _entry(found.tools, tool, package)
    if found.entry is not None:
        file, keys = found.entry.origin
        for name, text in found.entry.values.items():
            found.texts[name] = (text, f"`{name}` in {found.entry.where}")
            found.origins[name] = (file, (*keys, name))
    for setting in settings.SETTINGS:
        if environ.get(setting.env):
            found.settle(setting.name, environ[setting.env], setting.env)
        if setting.name in flags:
            found.settle(setting.name, flags[setting.name], setting.flag)
    found.check()
    return found


def _hear(found: Configuration, section: "dict[str, Any] | None", path: str, base: str) -> None:
    if section:
        found.spoke.append(path)
    _take(found, section, _shown(path, base))


def check(data: "dict[str, Any]", path: str, base: str = "") -> None:
    """Raise SettingError where what a file would say, once it holds `data`, is of no use to any run."""
    found = Configuration()
    _take(found, _section(data, _shown(path, base)), _shown(path, base))
    found.check()


def _entry(tools: "dict[str, Entry]", tool: str, package: str) -> "Entry | None":
    if not package:
        return tools.get(tool)
    about = {
        name: entry
        for name, entry in tools.items()
        if (targets.parse(entry.package).name if entry.package else targets.normalise(name)) == package
    }
    found = about.get(tool) or next((entry for name, entry in about.items() if targets.normalise(name) == package), None)
    if found is None and tool in tools and not tools[tool].package and _is_of_a_hook(tool, package):
        return tools[tool]
    return found


def _is_of_a_hook(command: str, package: str) -> bool:
    """Whether a hook of the suite takes this command from that package: its users know the tool by the command (`cz`, `shfmt`)."""
    from lastgood import hooks  # 27 ms that only such an entry is worth

    lines = [hook.words for hook in hooks.HOOKS if hook.words[:1] == ["--from"]]
    return any(line[2] == command and targets.parse(line[1]).name == package for line in lines)


def left_by_anyone(path: str) -> bool:
    """Whether a file lies where any user may leave one for others (a shared /tmp): its `check` would be run."""
    try:
        place, file = os.stat(os.path.dirname(path)), os.stat(path)
    except OSError:
        return True
    return bool(place.st_mode & 0o002) and file.st_uid not in (os.geteuid(), 0)


def _shown(path: str, base: str) -> str:
    return os.path.relpath(path, base) if base and os.path.dirname(path).startswith(base) else path


def read_table(path: str, base: str = "") -> "dict[str, Any]":
    """What a TOML file says; nothing where there is none. Raises SettingError where it cannot be read."""
    if os.path.exists(path) and not os.path.isfile(path):
        return {}  # a directory says nothing, and a pipe may never
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):  # HOME=/dev/null, as many services have it
        return {}
    except OSError as error:
        raise SettingError(f"`{_shown(path, base)}` cannot be read: {(error.strerror or '').lower()}") from error
    import tomllib  # 6 ms that a first run without configuration need not wait for

    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise SettingError(f"{_shown(path, base)}:{line}:{column}: invalid TOML: it is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{_shown(path, base)}{_position(str(error), data.decode())}") from error
    except RecursionError as error:
        raise SettingError(f"{_shown(path, base)}: invalid TOML: too many brackets within brackets") from error


def line_of(path: str, keys: "Sequence[str]") -> int:
    """The line on which the value under `keys` begins in a TOML file, counted from 1; 0 where that cannot be told.

    tomllib knows no lines: it is the first line that names the last key and with which the value comes to be there.
    """
    import tomllib  # as above

    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    for number, line in enumerate(lines):
        for end in range(number + 1, min(len(lines), number + _LONGEST_VALUE) + 1) if _may_name(keys[-1], line) else ():
            try:
                data: object = tomllib.loads("\n".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue  # the value goes on
            for key in keys:
                data = data.get(key) if isinstance(data, dict) else None
            if data is not None:
                return number + 1
            break
    return 0


def _may_name(key: str, line: str) -> bool:
    """Whether a line may be the one that a key is named on: reading the file as often as its words stand in it takes too long."""
    at = line.find(key)
    return at >= 0 and not line.lstrip().startswith("#") and ("=" in line[at:] or "[" in line[:at])


def _read(path: str, base: str) -> "dict[str, Any] | None":
    """The section of a file that speaks of lastgood, None where it has none. Raises SettingError for invalid TOML."""
    return _section(read_table(path, base), _shown(path, base))


def _section(data: "dict[str, Any]", shown: str) -> "dict[str, Any] | None":
    if os.path.basename(shown) != "pyproject.toml":
        return data
    section = data.get("tool", {})
    section = section.get("lastgood") if isinstance(section, dict) else None
    if section is not None and not isinstance(section, dict):
        raise SettingError(f"{shown}: `tool.lastgood` is no table")
    return section


def _position(message: str, text: str) -> str:
    """What tomllib says, with line and column as editors take them: of the end of a file it only says that it is there."""
    said, mark, place = message.rpartition(" (at line ")
    line, _, column = place.rstrip(")").partition(", column ")
    if not mark:
        said = message.removesuffix(" (at end of document)")
        line, column = str(text.count("\n") + 1), str(len(text) - text.rfind("\n"))
    return f":{line}:{column}: invalid TOML: {said[:1].lower()}{said[1:]}"


def _take(found: Configuration, section: "dict[str, Any] | None", shown: str) -> None:
    if section is None:
        return
    title = f"[tool.lastgood] of {shown}" if shown.endswith("pyproject.toml") else shown
    for key, value in section.items():
        if key == "tools":
            _take_tools(found, value, shown)
        elif key in _FILE_KEYS:
            found.texts[key] = (_setting_text(key, value, shown), f"`{key}` in {title}")
            found.origins[key] = (shown, (*_keys(shown), key))
        else:
            hint = settings.suggestion(key, (*_FILE_KEYS, "tools"))
            if key == "tool" and not _keys(shown):
                raise SettingError(f"{shown}: its keys stand at the top level and its tools in [tools], not in [tool.lastgood]")
            raise SettingError(f"{shown}: unknown key `{key}`{' in [tool.lastgood]' if _keys(shown) else ''}{hint}")


def _tools_title(shown: str) -> str:
    """What the table of tools is called in a file."""
    return "[tool.lastgood.tools]" if _keys(shown) else "[tools]"


def _keys(shown: str) -> "tuple[str, ...]":
    """Where in a file lastgood's own table is."""
    return ("tool", "lastgood") if shown.endswith("pyproject.toml") else ()


def _setting_text(key: str, value: object, shown: str) -> str:
    if isinstance(value, str):
        return value
    is_duration = settings.BY_NAME[key].kind == "duration"
    if is_duration and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and key == "fallback-on" and all(isinstance(word, str) for word in value):
        return ",".join(value)
    expected = "a list of words" if key == "fallback-on" else "seconds or a duration like `10m`" if is_duration else "text"
    raise SettingError(f"{shown}: invalid `{key}` `{_as_written(value)}`: expected {expected}")


def _as_written(value: object) -> object:
    """A value of a file as its writer knows it: a switch is in lower case there."""
    return str(value).lower() if isinstance(value, bool) else value


def _take_tools(found: Configuration, table: object, shown: str) -> None:
    if not isinstance(table, dict):
        raise SettingError(f"{shown}: `tools` is no table")
    for tool, value in table.items():
        title = _tools_title(shown)
        twin = next((other for other in table if other != tool and targets.normalise(other) == targets.normalise(tool)), None)
        if twin is not None:
            raise SettingError(f"{shown}: `{tool}` and `{twin}` in {title} are the same tool")
        if not paths.plain(tool.lower()):
            raise SettingError(f"{shown}: `{tool}` in {title} is no name of a tool")
        entry = Entry(f"`{tool}` in {title} of {shown}", (shown, (*_keys(shown), "tools", tool)))
        if isinstance(value, str):
            entry.version = _specifier(value, tool, shown)
        elif isinstance(value, dict):
            _take_entry(entry, value, tool, shown)
        else:
            raise SettingError(f"{shown}: invalid `{tool}` in {title}: expected a version specifier or a table")
        found.tools[tool] = entry


def _take_entry(entry: Entry, table: "dict[str, Any]", tool: str, shown: str) -> None:
    title = f"`{tool}` in {_tools_title(shown)}"
    for key, value in table.items():
        _check_entry_key(key, value, title, shown)
        if key in _FILE_KEYS:
            entry.values[key] = _setting_text(key, value, shown)
            settings.BY_NAME[key].check(entry.values[key], f"`{key}` in {entry.where}")
    entry.version = _specifier(table.get("version", "*"), tool, shown)
    entry.package = table.get("from", "")
    entry.python = table.get("python", "")
    entry.with_ = list(table.get("with", []))
    entry.extras = list(table.get("extras", []))
    entry.check = list(table.get("check", []))
    if entry.package:
        try:
            if targets.parse(entry.package).latest and entry.version:
                raise SettingError(f"{shown}: {title} has a `version`, and `from` asks for the latest")
        except request.Handover as refusal:
            raise SettingError(f"{shown}: invalid `from` of {title}: {refusal.reason}") from refusal


def _check_entry_key(key: str, value: "Any", title: str, shown: str) -> None:
    """Raise SettingError where one key of an entry is unknown or its value cannot be meant."""
    if key not in _ENTRY_KEYS:
        raise SettingError(f"{shown}: unknown key `{key}` of {title}{settings.suggestion(key, _ENTRY_KEYS)}")
    if key in _ENTRY_TEXTS and not isinstance(value, str):
        raise SettingError(f"{shown}: invalid `{key}` of {title}: expected text")
    if key in _ENTRY_LISTS and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
        raise SettingError(f"{shown}: invalid `{key}` of {title}: expected a list of words")
    if not value and key in ("from", *_ENTRY_LISTS):
        raise SettingError(f"{shown}: `{key}` of {title} is empty; leave it out")
    if key in ("with", "extras"):
        _refuse_non_packages(key, value, title, shown)


def _refuse_non_packages(key: str, words: "list[str]", title: str, shown: str) -> None:
    """Raise SettingError where `with` names what is neither a package nor a place, or `extras` what no extra is called."""
    for word in words:
        try:
            good = targets.parse(word.strip()).name or key == "with"
        except request.Handover:
            good = key == "with" and any(sign in word for sign in "/\\")
        if not good:
            expected = "an extra" if key == "extras" else "a package"
            raise SettingError(f"{shown}: `{word}` in `{key}` of {title} is not the name of {expected}")


def _specifier(text: str, tool: str, shown: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # only a table with versions needs it

    if text.strip() in ("", "*"):
        return ""
    try:
        SpecifierSet(text)
    except InvalidSpecifier as error:
        hint = f"; did you mean `=={text.strip()}`?" if text.strip()[:1].isdigit() else ""
        raise SettingError(
            f"{shown}: `{tool}` in {_tools_title(shown)} is `{text}`, which is no version specifier like `>=1.2,<2`{hint}"
        ) from error
    return text.strip()


def uv_index_urls(files: "list[str]") -> "list[str]":
    """The index addresses in uv's configuration files; a file that cannot be read is uv's to complain about."""
    return [url for url, _ in uv_indexes(files)]


def uv_indexes(files: "list[str]") -> "list[tuple[str, bool]]":
    """Those addresses, each with whether it takes the place of uv's default index and is not asked beside it."""
    found: list[tuple[object, bool]] = []
    for path in files:
        try:
            data = read_table(path)
        except SettingError:
            continue
        found.append((data.get("index-url"), True))
        found += [(url, False) for url in (*_listed(data.get("extra-index-url")), *_listed(data.get("find-links")))]
        tables = [index for index in _listed(data.get("index")) if isinstance(index, dict)]
        found += [(index.get("url"), index.get("default") is True) for index in tables]
    return [(request.as_one(url), default) for url, default in found if isinstance(url, str)]


def _listed(value: object) -> "list[Any]":
    return value if isinstance(value, list) else []
