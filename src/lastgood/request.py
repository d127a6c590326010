"""What a command line asks for: uvx's own grammar, and what of it decides the environment.

Pure: no files, no clock, no environment of its own. `parse` reads the words after `lastgood run`; what it cannot be sure about
is handed to plain uvx. The grammar and the table are those of uv 0.13 and proven against the installed uv by a contract test.
"""

import zlib

from lastgood import settings
from lastgood.errors import SettingError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# One line a class: what the options do to a run. A name that ends in `=` takes a value, `+` may stand more than once.
# Names on one line joined by `|` are spellings of one option; the first is its canonical name.
_TABLE = {
    # decides what is resolved or built
    "resolve": """
        --from=  --with|-w=+  --with-editable=+  --with-requirements=+  --constraints|--constraint|-c=+
        --build-constraints|--build-constraint|-b=+  --overrides|--override=+  --python|-p=  --python-platform=
        --torch-backend=  --index=+  --default-index=  --index-url|-i=  --extra-index-url=+  --find-links|-f=+
        --index-strategy=  --resolution=  --prerelease=  --prerelease-package=+  --fork-strategy=  --exclude-newer=
        --exclude-newer-package=+  --no-sources-package=+  --config-setting|--config-settings|-C=+
        --config-settings-package=+  --no-build-isolation-package=+  --no-build-package=+
        --no-binary-package=+  --python-preference=  --config-file=  --preview-features|--preview-feature=+
        --isolated  --lfs  --no-index  --pre  --no-sources  --no-build  --build  --no-binary  --binary
        --no-build-isolation  --build-isolation  --require-build-hashes  --no-require-build-hashes
        --managed-python  --no-managed-python  --no-config  --preview  --no-preview
    """,
    # how the environment is written, measured not to change which one is found
    "write": "--link-mode=  --compile-bytecode|--compile  --no-compile-bytecode|--no-compile  --no-installer-metadata",
    # how the index and the Python downloads are reached
    "access": """
        --keyring-provider=  --allow-insecure-host|--trusted-host=+  --system-certs  --no-system-certs
        --native-tls  --no-native-tls  --allow-python-downloads  --no-python-downloads  --python-fetch=
    """,
    # asks for news: strict-latest for this run
    "fresh": """
        --refresh  --upgrade|-U  --reinstall|--force-reinstall  --refresh-package=+  --upgrade-package|-P=+
        --upgrade-group=+  --reinstall-package=+
    """,
    "stale": "--no-refresh  --no-upgrade  --no-reinstall",
    "offline": "--offline",
    "online": "--no-offline",
    "directory": "--directory=",
    "project": "--project=",
    "output": "--quiet|-q+  --verbose|-v+  --no-color  --no-progress  --show-resolution  --color=",
    "place": "--cache-dir=",
    "noenvfile": "--no-env-file",
    # not for lastgood: nothing is resolved, or the environment does not outlive the call
    "hand": """
        --no-cache|--no-cache-dir|-n  --env-file=+  --help|-h  --version|-V  --show-settings  --generate-shell-completion=
    """,
}
# Options that decide nothing: a value that uv would refuse must reach it, although what is kept could run without asking uv.
_CHOICES = {
    "--color": ("auto", "always", "never"),
    "--keyring-provider": ("disabled", "subprocess"),
    "--link-mode": ("clone", "copy", "hardlink", "symlink"),
}
# Options whose value may be empty: it names nothing. Of any other uv demands a value, also where what is kept would need none.
_MAY_BE_EMPTY = frozenset(
    [
        "--with",
        "--with-editable",
        "--with-requirements",
        "--constraints",
        "--build-constraints",
        "--overrides",
        "--python",
        "--index",
        "--default-index",
        "--index-url",
        "--extra-index-url",
        "--find-links",
        "--allow-insecure-host",
    ]
)
_CHOOSING = ("fresh", "stale", "offline", "online")
"""The classes of options that choose the mode of a run."""
_FILES = ("--constraints", "--build-constraints", "--overrides", "--with-requirements", "--config-file")
_PLACES = ("--index", "--default-index", "--index-url", "--extra-index-url", "--find-links")
_FILE_VARIABLES = ("UV_CONSTRAINT", "UV_BUILD_CONSTRAINT", "UV_OVERRIDE", "UV_CONFIG_FILE")
_PLACE_VARIABLES = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_SEPARATORS = {
    "UV_DEFAULT_INDEX": "",
    "UV_INDEX_URL": "",
    "UV_CONFIG_FILE": "",
    "UV_FIND_LINKS": ",",
    "UV_EXTRA_INDEX_URL": " ",
    "--default-index": "",
    "--index-url": "",
    "--find-links": ",",
    "--extra-index-url": " ",
}
"""What uv takes the values of places and of variables apart at ("": they hold one value); the others at any blank."""
_BLANKS_WITHIN = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS", "--default-index", "--index-url", "--find-links", *_FILES)
_ESCAPED = {ord(" "): "%20", ord('"'): "%22", ord("\t"): None, ord("\n"): None, ord("\r"): None}
"""What of an address would end it in a text, as uv reads it."""


def _options() -> "dict[str, tuple[str, str, bool, bool]]":
    table = {}
    for kind, lines in _TABLE.items():
        for word in lines.split():
            names = word.rstrip("=+").split("|")
            for name in names:
                table[name] = (names[0], kind, "=" in word[-2:], word[-1] == "+")
    return table


_every: "dict[str, tuple[str, str, bool, bool]]" = {}


def every_option() -> "dict[str, tuple[str, str, bool, bool]]":
    """Every spelling of every option of uvx: canonical name, class, whether it takes a value, whether it may repeat.

    Made when it is first asked for: most runs have no option, and would wait 0.1 ms for it.
    """
    if not _every:
        _every.update(_options())
    return _every


# UV_* variables that do not decide what is resolved. A variable that is in neither list splits records instead of mixing
# them: a new one of uv's is safe by default. The classes are proven against `uvx --show-settings` by a contract test.
WRITE_VARIABLES = ("UV_LINK_MODE", "UV_COMPILE_BYTECODE", "UV_NO_INSTALLER_METADATA")
_OTHER_VARIABLES = frozenset(
    [
        "UV",
        "UV_OFFLINE",
        "UV_NO_CACHE",
        "UV_LINK_MODE",
        "UV_COMPILE_BYTECODE",
        "UV_COMPILE_BYTECODE_TIMEOUT",
        "UV_NO_INSTALLER_METADATA",
        "UV_KEYRING_PROVIDER",
        "UV_INSECURE_HOST",
        "UV_SYSTEM_CERTS",
        "UV_NATIVE_TLS",
        "UV_CREDENTIALS_DIR",
        "UV_GITHUB_TOKEN",
        "UV_NO_GITHUB_FAST_PATH",
        "UV_GITHUB_FAST_PATH_URL",
        "UV_S3_ENDPOINT_URL",
        "UV_GCS_ENDPOINT_URL",
        "UV_AZURE_ENDPOINT_URL",
        "UV_HTTP_PROXY",
        "UV_HTTPS_PROXY",
        "UV_NO_PROXY",
        "UV_PYTHON_INSTALL_MIRROR",
        "UV_PYPY_INSTALL_MIRROR",
        "UV_GRAALPY_INSTALL_MIRROR",
        "UV_PYODIDE_INSTALL_MIRROR",
        "UV_PYTHON_DOWNLOADS",
        "UV_PYTHON_DOWNLOADS_JSON_URL",
        "UV_REQUIRE_METADATA_RANGE_REQUESTS",
        "UV_ASTRAL_MIRROR_URL",
        "UV_HTTP_TIMEOUT",
        "UV_REQUEST_TIMEOUT",
        "UV_HTTP_CONNECT_TIMEOUT",
        "UV_HTTP_RETRIES",
        "UV_LOCK_TIMEOUT",
        "UV_UPLOAD_HTTP_TIMEOUT",
        "UV_CONCURRENT_DOWNLOADS",
        "UV_CONCURRENT_BUILDS",
        "UV_CONCURRENT_INSTALLS",
        "UV_CONCURRENT_CACHE_READS",
        "UV_STACK_SIZE",
        "UV_CACHE_DIR",
        "UV_TOOL_DIR",
        "UV_TOOL_BIN_DIR",
        "UV_WORKING_DIR",
        "UV_WORKING_DIRECTORY",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON_BIN_DIR",
        "UV_PYTHON_CACHE_DIR",
        "UV_PYTHON_INSTALL_BIN",
        "UV_PYTHON_INSTALL_REGISTRY",
        "UV_PYTHON_NO_REGISTRY",
        "UV_NO_PROGRESS",
        "UV_SHOW_RESOLUTION",
        "UV_NO_WRAP",
        "UV_LOG_CONTEXT",
        "UV_QUIET",
        "UV_VERBOSE",
        "UV_NO_COLOR",
        "UV_COLOR",
        "UV_NO_HINTS",
        "UV_ENV_FILE",
        "UV_NO_ENV_FILE",
        "UV_RUN_RECURSION_DEPTH",
        "UV_RUN_MAX_RECURSION_DEPTH",
        "UV_RUN_RLIMIT_NOFILE",
        "UV_EXCLUDE",
        "UV_SYSTEM_PYTHON",
        "UV_BREAK_SYSTEM_PACKAGES",
        "UV_REQUIRE_HASHES",
        "UV_NO_VERIFY_HASHES",
        "UV_DEV",
        "UV_NO_DEV",
        "UV_FROZEN",
        "UV_LOCKED",
        "UV_NO_SYNC",
        "UV_NO_GROUP",
        "UV_NO_DEFAULT_GROUPS",
        "UV_NO_EDITABLE",
        "UV_NO_PROJECT",
        "UV_NO_INSTALL_PROJECT",
        "UV_NO_INSTALL_WORKSPACE",
        "UV_NO_INSTALL_LOCAL",
        "UV_ONLY_INSTALL_PROJECT",
        "UV_ONLY_INSTALL_WORKSPACE",
        "UV_ONLY_INSTALL_LOCAL",
        "UV_INSTALL_DIR",
        "UV_UNMANAGED_INSTALL",
        "UV_NO_MODIFY_PATH",
        "UV_DISABLE_UPDATE",
        "UV_DOWNLOAD_URL",
        "UV_INSTALLER_GITHUB_BASE_URL",
        "UV_INSTALLER_GHE_BASE_URL",
        "UV_COMMIT_HASH",
        "UV_COMMIT_SHORT_HASH",
        "UV_COMMIT_DATE",
        "UV_LAST_TAG",
        "UV_LAST_TAG_DISTANCE",
        "UV_CUSTOM_COMPILE_COMMAND",
        "UV_MALWARE_CHECK",
        "UV_MALWARE_CHECK_URL",
        "UV_HIDE_BUILD_OUTPUT",
        "UV_SKIP_WHEEL_FILENAME_CHECK",
        "UV_LEGACY_TAR_BACKEND",
        "UV_FORCE_OVERWRITE_GIT_CACHE",
    ]
)
_OTHER_PREFIXES = ("UV_PUBLISH_", "UV_VENV_", "UV_INIT_", "UV_INTERNAL__", "UV_TEST_", "UV_LOCK_", "UV_AUDIT_")
_SECRET_WORDS = ("TOKEN", "PASSWORD", "SECRET", "USERNAME", "CREDENTIAL", "API_KEY")
# Where uv looks for its files, and what its interpreter discovery reads: a card holds paths that follow from these.
_PLACE_OF_FILES = (
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_DATA_HOME",
    "UV_TOOL_DIR",
    "UV_NO_SYSTEM_CONFIG",
)


class Handover(Exception):  # noqa: N818 (no failure: these words are plain uvx's)
    """These words belong to plain uvx, untouched. `reason` says why; `words` is what was read of them.

    `origin` is the working directory to go back to first ("" where it was never left), `taken` how many words an option took
    that is plain uvx's.
    """

    def __init__(self, reason: str, words: "Words | None" = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.words = words
        self.origin = ""
        self.taken = 1


class NotAName(Handover):
    """What stands where a package belongs is not the name of one: perhaps a path."""


class NearMiss(Handover):
    """An option is nearly one of lastgood's own, which uvx cannot know: `reason` says which."""


class Words:
    """The words of one `lastgood run`, taken apart.

    options    (canonical name, value or None, class), in order
    target     the first positional, trimmed
    args       what the tool gets
    flags      lastgood's own options: {"mode": …, "max-age": …}
    plain      the words for plain uvx: everything but lastgood's own options
    cut        how many of `plain` stand before the target
    """

    __slots__ = ("args", "cut", "flags", "mode_word", "options", "plain", "target")

    def __init__(self) -> None:
        self.options: list[tuple[str, str | None, str]] = []
        self.target = ""
        self.args: list[str] = []
        self.flags: dict[str, str] = {}
        self.mode_word = ""
        self.plain: list[str] = []
        self.cut = 0

    def copy(self) -> "Words":
        """The same words, to be changed without changing these."""
        same = Words()
        same.options, same.args, same.plain = [*self.options], self.args, self.plain
        same.target, same.flags, same.mode_word, same.cut = self.target, self.flags, self.mode_word, self.cut
        return same

    def value(self, name: str) -> "str | None":
        """The value of the last option called `name`, or None."""
        for canonical, value, _ in reversed(self.options):
            if canonical == name:
                return value
        return None

    def values(self, name: str) -> "list[str]":
        """All values of the option called `name`."""
        return [value for canonical, value, _ in self.options if canonical == name and value]

    def has(self, kind: str) -> bool:
        """Whether an option of the class `kind` was given."""
        return any(known == kind for _, _, known in self.options)

    @property
    def offline(self) -> "bool | None":
        """What the last of `--offline` and `--no-offline` says; None where neither was given."""
        for _, _, kind in reversed(self.options):
            if kind in ("offline", "online"):
                return kind == "offline"
        return None

    @property
    def fresh(self) -> bool:
        """Whether an option asks for news that no later one takes back."""
        taken_back = set()
        for name, _, kind in reversed(self.options):
            if kind == "stale":
                taken_back.add(name.replace("--no-", "--", 1))
            elif kind == "fresh" and name not in taken_back:
                return True
        return False

    @property
    def refreshes(self) -> bool:
        """Whether uv is told to read its cache anew, which it refuses to do with no network; `-U` does not count."""
        for name, _, _ in reversed(self.options):
            if name in ("--refresh", "--no-refresh"):
                return name == "--refresh"
        return any(name == "--refresh-package" for name, _, _ in self.options)

    @property
    def quiet(self) -> bool:
        """Whether `-q` was given."""
        return any(name == "--quiet" for name, _, _ in self.options)


# --- the command line -----------------------------------------------------------------------------------------------


def parse(argv: "list[str]") -> Words:
    """The words after `lastgood run`. Raises Handover for what is plain uvx's, UsageError for lastgood's own options.

    uv stops reading options at the first positional; one `--` before it is eaten; values may be glued or follow; flags cluster.
    """
    words = Words()
    index = 0
    doubt: Handover | None = None
    while index < len(argv):
        word = argv[index]
        if word == "--":
            words.plain.append(word)
            index += 1
            break
        if word in ("", "-") or word[0] != "-":
            break
        taken = _own_option(words, argv, index)
        if not taken:
            try:
                taken = _option(words, argv, index)
            except Handover as error:
                # lastgood's own options may still follow and must not reach uvx, so reading goes on
                doubt = doubt or error
                taken = error.taken
            words.plain += argv[index : index + taken]
        index += taken
    words.cut = len(words.plain)
    words.plain += argv[index:]
    if index >= len(argv):
        _check_flags(words)  # the tool's name may stand where a value belongs
        raise Handover("no tool is named", words)
    words.target = argv[index].strip()
    words.args = argv[index + 1 :]
    if doubt is not None:
        doubt.words = words
        raise doubt
    _refuse_doubt(words)
    return words


def kept_offline(argv: "list[str]") -> "list[str]":
    """The words after `lastgood run`, with `--offline` in place of all that chooses a mode. Raises UsageError."""
    kept: list[str] = []
    index = 0
    while index < len(argv) and argv[index][:1] == "-" and argv[index] not in ("-", "--"):
        seen = Words()
        try:
            taken = _own_option(seen, argv, index) or _option(seen, argv, index)
        except Handover as error:
            taken = error.taken  # it stays, as in `parse`: beside `--offline` plain uvx asks nobody either
        if not seen.mode_word and not any(kind in _CHOOSING for _, _, kind in seen.options):
            kept += argv[index : index + taken]
        index += taken
    return ["--offline", *kept, *argv[index:]]


def _own_option(words: Words, argv: "list[str]", index: int) -> int:
    """Take one of lastgood's own options; how many words it took."""
    name, glued, value = argv[index].partition("=")
    if name in ("--prefer-offline", "--prefer-cache"):
        if glued:
            raise UsageError(f"`{name}` takes no value")
        _mode_word(words, name, "prefer-cache")
        return 1
    setting = settings.FLAGS.get(name)
    if setting is None:
        return 0
    taken = 1
    if not glued:
        if index + 1 >= len(argv):
            raise UsageError(f"a value is required for `{name}`")
        value = argv[index + 1]
        taken = 2
    if setting.name == "mode":
        _mode_word(words, name, settings.mode(value, name))
    elif setting.name in words.flags:
        raise UsageError(f"`{name}` cannot be used twice")
    words.flags[setting.name] = value
    return taken


def _check_flags(words: Words) -> None:
    """Raise UsageError where a value of lastgood's own options cannot be used."""
    for name, value in words.flags.items():
        try:
            settings.BY_NAME[name].check(value, settings.BY_NAME[name].flag)
        except SettingError as error:
            raise UsageError(error.message) from error


def _mode_word(words: Words, name: str, mode: str) -> None:
    if words.mode_word:
        raise UsageError(f"`{name}` cannot be used with `{words.mode_word}`: both choose the mode")
    words.mode_word = name
    words.flags["mode"] = mode


def _option(words: Words, argv: "list[str]", index: int) -> int:
    """Take one option (or one cluster of short ones) of uvx's; how many words it took."""
    word = argv[index]
    if word.startswith("--"):
        name, glued, value = word.partition("=")
        return _take(words, name, value if glued else None, argv, index)
    for at in range(1, len(word)):
        name = "-" + word[at]
        known = every_option().get(name)
        if known is None:
            raise Handover(f"`{name}` is no option that lastgood knows")
        if known[2]:
            rest = word[at + 1 :]
            return _take(words, name, rest.removeprefix("=") if rest else None, argv, index)
        _take(words, name, None, argv, index)
    return 1


def _take(words: Words, name: str, value: "str | None", argv: "list[str]", index: int) -> int:
    known = every_option().get(name)
    if known is None:
        near = settings.suggestion(name, tuple(settings.FLAGS))
        raise (NearMiss if near else Handover)(f"`{name}` is no option that lastgood knows{near}")
    canonical, kind, takes_value, repeats = known
    taken = 1
    if takes_value and value is None:
        if index + 1 >= len(argv) or (argv[index + 1].startswith("-") and argv[index + 1] != "-"):
            raise Handover(f"`{name}` has no value")
        value = argv[index + 1]
        taken = 2
    if not takes_value and value is not None:
        raise Handover(f"`{name}` takes no value")
    if not repeats and any(canonical == given for given, _, _ in words.options):
        raise Handover(f"`{name}` is given twice")
    words.options.append((canonical, value, kind))
    if kind == "hand":
        refusal = Handover(f"`{name}` is plain uvx's")
        refusal.taken = taken
        raise refusal
    return taken


def _refuse_doubt(words: Words) -> None:
    names = {name for name, _, _ in words.options}
    if {"--quiet", "--verbose"} <= names:
        raise Handover("`--quiet` and `--verbose` exclude each other", words)
    if words.has("offline") and words.has("fresh"):
        raise Handover("`--offline` cannot be used with `--refresh`", words)
    empty = next((name for name, value, _ in words.options if value == "" and name not in _MAY_BE_EMPTY), "")
    if empty:
        raise Handover(f"`{empty}` has no value", words)
    wrong = next((name for name, value, _ in words.options if name in _CHOICES and value not in _CHOICES[name]), "")
    if wrong:
        raise Handover(f"the value of `{wrong}` is none that lastgood knows", words)
    if "--with-editable" in names:
        raise Handover("an editable's source is the truth", words)
    if "--python-platform" in names:
        raise Handover("an environment for another platform cannot be checked here", words)
    if not _clean(words.plain[: words.cut + 1]):
        raise Handover("a word before the tool's arguments is not plain text", words)
    if words.mode_word and (words.has("offline") or words.has("fresh")):
        other = next(name for name, _, kind in words.options if kind in ("offline", "fresh"))
        raise UsageError(f"`{words.mode_word}` cannot be used with `{other}`: both choose the mode")


def _clean(words: "Iterable[str]") -> bool:
    """Whether all words are printable UTF-8: a card is made of lines."""
    return all(word.isprintable() or not word for word in words)


# --- what decides the environment -----------------------------------------------------------------------------------


_ENDS = ' \t\r\n"'
"""What ends an address in any text. Other signs may stand in a name, a password or a query as they are: `,`, `;` and `'`, too."""
_BLANK = frozenset(' \t"')
_QUOTED = "'\"'\"'"  # a single quote as `shlex` writes it between single quotes
_CLOSING = "`',;.:!?)]}>"
"""What closes a sentence, or the quotes round an address, rather than the query that stands before it."""
_NEXT = (",http://", ",https://", ",file://")


def without_credentials(text: str) -> str:
    """`text` with the userinfo of every URL removed and each query replaced by a checksum: neither may be stored."""
    start = text.find("://")
    while start >= 0:
        end = _end_of_authority(text, start + 3)
        at = text.rfind("@", start, end)
        if at >= 0:
            text = text[: start + 3] + text[at + 1 :]
            end -= at + 1 - (start + 3)
        query = _until("?#", text, end)
        stop = _end_of_query(text, query)
        if stop > query:
            text = f"{text[:query]}~{zlib.crc32(text[query:stop].encode('utf-8', 'surrogateescape')):08x}{text[stop:]}"
        start = text.find("://", end - 1)  # in a list, the `:` of the next address stands before what ended this one's host
    return text


def _end_of_authority(text: str, start: int) -> int:
    """Where user, host and port end. uv takes blanks and quotes in a name and a password as they are."""
    end = _until("/?#", text, start)
    if text[end : end + 1] not in (" ", "\t", '"'):
        return end
    stop = min((at for sign in "/?#\r\n" if (at := text.find(sign, end)) >= 0), default=len(text))
    at = text.rfind("@", end, stop)
    _, colon, rest = text[start : max(start, at)].partition(":")
    port = rest.replace('"', " ").split(" ")[0]
    is_port = not _BLANK.isdisjoint(rest) and port.isdigit() and not (rest[len(port)] == " " and _is_host(text, at + 1, stop))
    return stop if colon and not is_port else end


def _is_host(text: str, start: int, end: int) -> bool:
    """Whether what stands between an `@` and a sign that ends a host can be one: then what looked like a port is a password."""
    host = text[start:end]
    return _BLANK.isdisjoint(host) and not host.endswith(":") and text[end : end + 1] in ("/", "?", "#")


def _until(signs: str, text: str, at: int) -> int:
    """Where the first of some signs stands, or what ends the address, from `at` on."""
    while at < len(text) and text[at] not in signs and text[at] not in _ENDS:
        at += len(_QUOTED) if text[at] == "'" and text.startswith(_QUOTED, at) else 1
    return at


def _end_of_query(text: str, start: int) -> int:
    """Where the query that starts at `start` ends; `start` where there is none."""
    if text[start : start + 1] != "?":
        return start
    stop = _until("#", text, start)
    stop = min([stop, *(at for word in _NEXT if (at := text.find(word, start, stop)) >= 0)])
    return start + len(text[start:stop].rstrip(_CLOSING))


def variables(environ: "Mapping[str, str]") -> "list[tuple[str, str]]":
    """The UV_* variables that decide what is resolved, sorted, values without credentials."""
    kept = []
    for name in environ:
        if not name.startswith("UV_") or name in _OTHER_VARIABLES or name.startswith(_OTHER_PREFIXES):
            continue
        if any(word in name for word in _SECRET_WORDS):
            continue
        kept.append((name, public(name, environ[name])))
    return sorted(kept)


def options(words: Words) -> "list[tuple[str, str]]":
    """The options that decide what is resolved, sorted by name, values in their order, without credentials."""
    kept = [(name, public(name, value or "")) for name, value, kind in words.options if kind == "resolve" and name != "--from"]
    return sorted(kept, key=lambda pair: pair[0])


_KEPT_CLASSES = ("resolve", "write", "access", "fresh", "stale", "offline", "online", "place", "noenvfile")


def kept_options(words: "Words") -> "list[str]":
    """The options of a command line that uvx needs to resolve and build what it would run."""
    kept = [(name, value) for name, value, kind in words.options if kind in _KEPT_CLASSES and name != "--from"]
    return [name if value is None else f"{name}={value}" for name, value in kept]


def refuse_environment(words: Words, environ: "Mapping[str, str]") -> None:
    """Raise Handover where a variable asks for what only plain uvx does."""
    if settings.is_on(environ.get("UV_NO_CACHE")):
        raise Handover("`UV_NO_CACHE` is set: the environment does not outlive the call", words)
    if environ.get("UV_ENV_FILE") and not words.has("noenvfile") and not settings.is_on(environ.get("UV_NO_ENV_FILE")):
        raise Handover("`UV_ENV_FILE` is set: uv prepares the tool's environment", words)
    for name in ("UV_OFFLINE", "UV_NO_CONFIG", "UV_ISOLATED"):
        if not settings.is_boolean(environ.get(name, "")):
            raise Handover(f"`{name}` is no switch that uv would take", words)
    if settings.is_on(environ.get("UV_OFFLINE")) and words.offline is None and words.refreshes:
        raise Handover("`UV_OFFLINE` cannot be used with `--refresh`", words)


def directory(words: Words, environ: "Mapping[str, str]") -> "str | None":
    """The directory that uv would change to, for itself and for the tool."""
    return words.value("--directory") or environ.get("UV_WORKING_DIR") or environ.get("UV_WORKING_DIRECTORY") or None


def project(words: Words, environ: "Mapping[str, str]") -> "str | None":
    """The project directory, of which uvx only demands that it exists."""
    return words.value("--project") or environ.get("UV_PROJECT") or None


def values_of(variable: str, environ: "Mapping[str, str]") -> "list[str]":
    """What a variable names, taken apart as uv does it: elsewhere a blank or a comma is a letter of a path or a password."""
    return _taken_apart(variable, environ.get(variable, ""))


def places_of(words: Words) -> "list[str]":
    """What the options name as an index or as links, in their order, taken apart in the same way."""
    return [part for name, value, _ in words.options if name in _PLACES for part in _taken_apart(name, value or "")]


def _taken_apart(name: str, value: str) -> "list[str]":
    sign = _SEPARATORS.get(name)
    parts = value.split(sign or None) if sign != "" else [value]
    return [as_one(part) for part in parts if part.strip()]


def as_one(value: str) -> str:
    """A value that holds one thing; where that is an address, so that no blank in a password ends it."""
    return value.strip().translate(_ESCAPED) if "://" in value else value


def public(name: str, value: str) -> str:
    """The value of an option or a variable without credentials: as it may be stored and shown."""
    return without_credentials(as_one(value) if name in _BLANKS_WITHIN else value)


def public_word(word: str) -> str:
    """A word of a command line without credentials: where it is one address, or an option with one, no blank ends that."""
    is_one = word.count("://") == 1 and " " not in word.partition("://")[0]
    return without_credentials(as_one(word) if is_one else word)


def files_named(words: Words, environ: "Mapping[str, str]") -> "list[str]":
    """The files whose contents decide what is resolved, as they were named (relative to the working directory)."""
    named = [value for name in _FILES for value in words.values(name)]
    for variable in _FILE_VARIABLES:
        named += values_of(variable, environ)
    return named


def places_named(words: Words, environ: "Mapping[str, str]") -> "list[str]":
    """Index and find-links values that are no URL: local directories or files."""
    values = places_of(words)
    for variable in _PLACE_VARIABLES:
        values += values_of(variable, environ)
    return [value.split("=", 1)[-1] for value in values if "://" not in value]


def ends_within_a_password(words: Words, environ: "Mapping[str, str]") -> bool:
    """Whether what follows an address in a list looks like the rest of that: a user's name or password holds what ends it."""
    given = [(name, value or "") for name, value, _ in words.options if name in _PLACES]
    given += [(name, environ.get(name, "")) for name in _PLACE_VARIABLES]
    return any(
        "@" in part.partition("/")[0] and "://" not in part
        for name, value in given
        if "://" in value and "@" in value
        for part in _taken_apart(name, value)[1:]
    )


def card_key(
    words: Words,
    environ: "Mapping[str, str]",
    cwd: str,
    configs: "list[str]",
    interpreter: str,
    beside: "Iterable[str]" = (),
) -> str:
    """What a card is kept under: all that can be known without reading configuration, one line, no credentials.

    `beside` is what a hook has besides the tool.
    """
    fields = [words.target, "from=" + without_credentials(words.value("--from") or "")]
    fields += [f"{name}={public(name, value or '')}" for name, value, kind in words.options if kind != "output" or value]
    fields += [f"{name}:{value}" for name, value in sorted(words.flags.items())]
    fields += [f"{name}={value}" for name, value in variables(environ)]
    fields += [f"{name}={environ[name]}" for name in (*settings.CARD_VARIABLES, "UV_OFFLINE") if name in environ]
    fields += [f"{name}={environ[name]}" for name in _PLACE_OF_FILES if name in environ]
    fields += ["config=" + path for path in configs]
    fields.append("python=" + interpreter)
    fields += ["beside=" + without_credentials(line) for line in beside]
    if files_named(words, environ) or places_named(words, environ):
        fields.append("cwd=" + cwd)
    text = "\t".join([without_credentials(fields[0]), *fields[1:]])
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def card_name(words: Words, key: str) -> str:
    """The file name of the card of `key`: two checksums to find it by; the key inside decides."""
    raw = key.encode("utf-8", "surrogateescape")
    first = without_credentials(words.target).partition("@")[0].partition("=")[0][:40].lower()
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in first).strip("-") or "tool"
    return f"{name}-{zlib.crc32(raw):08x}{zlib.adler32(raw):08x}"
