r"""`lastgood completion`: what a shell needs to complete the words of lastgood.

Generated from the tables that the commands themselves are made of: a verb or an option that exists is completed, and nothing else.
The names of tools are asked for while the user types: by `lastgood completion --kept` for what is kept, by `lastgood completion
--tools` for that and the tools table; the versions to go back to by `lastgood completion --versions TOOL`.
"""

import argparse
import importlib
import os
import sys

from lastgood import manage, paths, project, request, settings, surroundings
from lastgood import record as records
from lastgood.errors import Damage, LastgoodError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SHELLS = ("bash", "zsh", "fish")
TOOLS, KEPT, FILES, DIRECTORIES = "tools", "kept", "files", "directories"
VERSIONS = "versions"
ABOUT = """\
  bash   eval "$(lastgood completion bash)"       in ~/.bashrc
  zsh    eval "$(lastgood completion zsh)"        in ~/.zshrc, after compinit
  fish   lastgood completion fish | source        in ~/.config/fish/config.fish"""
_KINDS = {"TOOL": TOOLS, "WORDS": TOOLS, "FILE": FILES, "DIR": DIRECTORIES}
_LIKE_RUN = ("run", "why")
"""Verbs whose words after the tool are the tool's."""
_OF_KEPT = ("status", "history", "rollback", "hold", "unhold")
"""Verbs that say or change something of what is kept: what was never kept is an error to them."""
_MOST_READ = 200
"""How many records are opened for the name of their tool; beyond that, file names tell it well enough."""


class Option:
    """One option: its spellings, what it is for, whether a value follows, and the values that are known.

    `kind` is VERSIONS where the value is a version of the tool that is kept.
    """

    __slots__ = ("choices", "help", "kind", "names", "takes_value")

    def __init__(
        self, names: "Iterable[str]", text: str, *, takes_value: bool, choices: "Iterable[str]" = (), kind: str = ""
    ) -> None:
        self.names = tuple(names)
        self.help = text
        self.takes_value = takes_value
        self.choices = tuple(choices)
        self.kind = kind


class Verb:
    """One command: its options, and what its words are: one of TOOLS, KEPT, FILES, DIRECTORIES, or the `words` themselves."""

    __slots__ = ("kind", "name", "options", "summary", "words")

    def __init__(self, name: str, summary: str) -> None:
        self.name = name
        self.summary = summary
        self.options: list[Option] = []
        self.kind = ""
        self.words: tuple[str, ...] = ()


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words of this verb."""
    parser.add_argument("shell", nargs="?", choices=SHELLS, metavar="SHELL", help="`bash`, `zsh` or `fish`")
    parser.add_argument("--tools", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--kept", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--versions", metavar="TOOL", help=argparse.SUPPRESS)


def main(given: argparse.Namespace, environ: "dict[str, str]") -> int:
    """Print the script of a shell, or the names of tools."""
    if given.tools or given.kept:
        names = {*recorded_names(environ, kept=given.kept), *(tabled_names(environ) if given.tools else ())}
        sys.stdout.write("".join(f"{name}\n" for name in sorted(names) if paths.plain(name.lower())))
        return 0
    if given.versions is not None:
        sys.stdout.write("".join(f"{version}\n" for version in earlier_versions(given.versions, environ)))
        return 0
    if given.shell is None:
        raise UsageError(f"missing `SHELL`: expected {settings.alternatives(SHELLS)}")
    sys.stdout.write({"bash": bash, "zsh": zsh, "fish": fish}[given.shell](verbs()))
    return 0


def recorded_names(environ: "dict[str, str]", *, kept: bool) -> "set[str]":
    """The tools that there are records of, with `kept` those that something is kept of; where there are very many, unread."""
    home = paths.home(environ)
    identities = records.identities(home)
    if len(identities) > _MOST_READ:
        return {records.slug_of(identity) for identity in identities}
    return {name for identity in identities for name in _name(home, identity, kept=kept)}


def earlier_versions(tool: str, environ: "dict[str, str]") -> "list[str]":
    """The versions that are kept of a tool beside what runs, the newest first; none that a shell would read as more than a word."""
    try:
        found = manage.of_tool(paths.home(environ), tool, environ)
    except LastgoodError:
        return []  # it is `rollback`'s to say what is wrong
    versions = dict.fromkeys(one.version for record in found for one in record.generations if one.id != record.current)
    return [version for version in versions if version and all(c.isalnum() or c in ".+!-_" for c in version)]


def tabled_names(environ: "dict[str, str]") -> "list[str]":
    """The tools of the table here."""
    try:
        cwd = os.getcwd()
        found = project.load(surroundings.configs(cwd), surroundings.user_config(environ), environ, {}, base=cwd)
    except (LastgoodError, OSError):
        return []  # a broken configuration is `run`'s to complain about
    return list(found.tools)


def _name(home: str, identity: str, *, kept: bool) -> "list[str]":
    """What the tool of a record is called, where there is one; of a damaged record only the file's name is known."""
    try:
        found = records.load(home, identity)
    except (Damage, records.NewerFormat, OSError):
        return [records.slug_of(identity)]
    return [found.tool] if found is not None and (found.generations or not kept) else []


# --- the tables -----------------------------------------------------------------------------------------------------


def verbs() -> "list[Verb]":
    """Every command with its words, from the tables."""
    from lastgood.cli import app

    return [_verb(name, summary) for name, summary in app.VERBS.items()]


def _verb(name: str, summary: str) -> Verb:
    made = Verb(name, summary)
    if name in _LIKE_RUN:
        made.options, made.kind = _run_options(), TOOLS
    else:
        parser = argparse.ArgumentParser(add_help=False)
        importlib.import_module(f"lastgood.cli.{name}").arguments(parser)
        for action in parser._actions:  # noqa: SLF001 (argparse has no public list)
            _take(made, action)
    if name in _OF_KEPT:
        made.kind = KEPT
    made.options.append(Option(("-h", "--help"), "Show this help", takes_value=False))
    return made


def _take(made: Verb, action: argparse.Action) -> None:
    if action.help == argparse.SUPPRESS:
        return
    choices = tuple(str(choice) for choice in action.choices or ())
    if action.option_strings:
        kind = VERSIONS if action.metavar == "VERSION" else ""
        option = Option(action.option_strings, action.help or "", takes_value=action.nargs is None, choices=choices, kind=kind)
        made.options.append(option)
        return
    made.words = (*made.words, *choices)
    made.kind = made.kind or _KINDS.get(str(action.metavar), "")


def _run_options() -> "list[Option]":
    known = {"mode": settings.MODES, "classes": settings.CLASSES}
    found = [
        Option((setting.flag,), setting.help[:1].upper() + setting.help[1:], takes_value=True, choices=known.get(setting.kind, ()))
        for setting in settings.SETTINGS
        if setting.flag
    ]
    found.append(Option(("--prefer-offline", "--prefer-cache"), "The same as `--mode prefer-cache`", takes_value=False))
    mine = {name for option in found for name in option.names}
    for name, (canonical, _, takes_value, _) in request.every_option().items():
        if name == canonical and name not in mine and name != "--help":
            found.append(Option((name,), "As for `uvx`", takes_value=takes_value))
    return found


# --- bash -----------------------------------------------------------------------------------------------------------

_BASH = """\
# bash completion of lastgood; written by `lastgood completion bash`
_lastgood_tool_at() {{
    # the index of the tool among the words, or 0; what follows an option that takes a value is not it
    local at
    for ((at = 2; at < COMP_CWORD; at++)); do
        case "${{COMP_WORDS[at]}}" in
            =) ((at++)) ;;
            -*) [[ " $1 " == *" ${{COMP_WORDS[at]}} "* && "${{COMP_WORDS[at + 1]}}" != "=" ]] && ((at++)) ;;
            *) echo "$at"; return ;;
        esac
    done
    echo 0
}}

_lastgood_versions() {{
    # the versions that are kept of the tool on the command line
    local at
    at=$(_lastgood_tool_at "$1")
    ((at)) && lastgood completion --versions "${{COMP_WORDS[at]}}" 2>/dev/null
}}

_lastgood() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD - 1]}}"
    local options="" words="" kind="" valued="" own=""
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "{verbs} help --help --version" -- "$current"))
        return
    fi
    [[ "$current" == "=" ]] && current=""
    [[ "$before" == "=" ]] && before="${{COMP_WORDS[COMP_CWORD - 2]}}"
    case "${{COMP_WORDS[1]}}" in
        help) words="{verbs}" ;;
{cases}
    esac
    if [[ "$own" ]] && (($(_lastgood_tool_at "$valued"))); then
        compopt -o default
        return
    fi
    case "${{COMP_WORDS[1]}} $before" in
{values}
        *) [[ " $valued " == *" $before "* ]] && {{ compopt -o default; return; }} ;;
    esac
    case "$kind" in
        tools|kept) [[ "$current" == -* ]] || words="$words $(lastgood completion "--$kind" 2>/dev/null)" ;;
        files) [[ "$current" == -* ]] || compopt -o default ;;
        directories) [[ "$current" == -* ]] || compopt -o dirnames ;;
    esac
    [[ "$current" == -* ]] && words="$options"
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _lastgood lastgood
"""


def bash(known: "list[Verb]") -> str:
    """The script for bash; needs no bash-completion."""
    cases, values = [], []
    for verb in known:
        options = " ".join(name for option in verb.options for name in option.names)
        valued = " ".join(name for option in verb.options if option.takes_value for name in option.names)
        own = "yes" if verb.name in _LIKE_RUN else ""
        cases.append(
            f"        {verb.name}) options={_quoted(options)} valued={_quoted(valued)} "
            f"words={_quoted(' '.join(verb.words))} kind={_quoted(verb.kind)} own={_quoted(own)} ;;"
        )
        for option in verb.options:
            offered = '"$(_lastgood_versions "$valued")"' if option.kind == VERSIONS else _quoted(" ".join(option.choices))
            if option.choices or option.kind:
                patterns = "|".join(f'"{verb.name} {name}"' for name in option.names)
                values.append(f'        {patterns}) COMPREPLY=($(compgen -W {offered} -- "$current")); return ;;')
    return _BASH.format(verbs=" ".join(verb.name for verb in known), cases="\n".join(cases), values="\n".join(values))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# --- zsh ------------------------------------------------------------------------------------------------------------

_ZSH = """\
#compdef lastgood
# zsh completion of lastgood; written by `lastgood completion zsh`
_lastgood_tools() {{
    local -a tools
    tools=(${{(f)"$(lastgood completion --tools 2>/dev/null)"}})
    _describe -t tools tool tools
}}

_lastgood_kept() {{
    local -a tools
    tools=(${{(f)"$(lastgood completion --kept 2>/dev/null)"}})
    _describe -t tools tool tools
}}

_lastgood_versions() {{
    # those that are kept of the tool on the command line: the first word that is neither an option nor the value of one
    local -a versions
    local word before
    for word in ${{words[2,CURRENT-1]}}; do
        if [[ $word != -* && $before != --to ]]; then
            versions=(${{(f)"$(lastgood completion --versions "${{(Q)word}}" 2>/dev/null)"}})
            break
        fi
        before=$word
    done
    _describe -V -t versions version versions
}}

_lastgood() {{
    local -a commands
    commands=(
{commands}
    )
    if ((CURRENT == 2)); then
        _describe -t commands command commands
        _arguments '--help[Show this help]' '--version[Show the version]'
        return
    fi
    local verb=$words[2]
    shift words
    ((CURRENT--))
    case $verb in
        help) _describe -t commands command commands ;;
{cases}
    esac
}}

if [[ "$funcstack[1]" == _lastgood ]]; then
    _lastgood "$@"
else
    compdef _lastgood lastgood
fi
"""
_ZSH_KINDS = {TOOLS: "_lastgood_tools", KEPT: "_lastgood_kept", FILES: "_files", DIRECTORIES: "_files -/"}


def zsh(known: "list[Verb]") -> str:
    """The script for zsh: to be evaluated after compinit, or a file `_lastgood` in fpath."""
    commands = [f"        {_quoted(f'{verb.name}:{verb.summary}')}" for verb in known]
    cases = []
    for verb in known:
        specs = [_zsh_option(option, name) for option in verb.options for name in option.names]
        if verb.name in _LIKE_RUN:
            specs += [_quoted("1:tool:_lastgood_tools"), _quoted("*:::arguments:_default")]
        elif verb.words:
            specs.append(_quoted(f"1:word:({' '.join(verb.words)})"))
            specs += [_quoted(f"*:word:{_ZSH_KINDS[verb.kind]}")] if verb.kind else []
        elif verb.kind:
            specs.append(_quoted(f"*:{verb.kind}:{_ZSH_KINDS[verb.kind]}"))
        lines = " \\\n".join(f"                {spec}" for spec in specs)
        cases.append(f"        {verb.name})\n            _arguments \\\n{lines}\n            ;;")
    return _ZSH.format(commands="\n".join(commands), cases="\n".join(cases))


def _zsh_option(option: Option, name: str) -> str:
    text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    value = f":value:({' '.join(option.choices)})" if option.choices else ":value:_default" if option.takes_value else ""
    value = ":version:_lastgood_versions" if option.kind == VERSIONS else value
    mark = "=" if value and name.startswith("--") else ""
    return _quoted(f"*{name}{mark}[{text}]{value}")


# --- fish -----------------------------------------------------------------------------------------------------------

_FISH = """\
# fish completion of lastgood; written by `lastgood completion fish`
function __lastgood_verb
    # whether the command line is that of one of these commands
    set -l words (commandline -opc)
    contains -- "$words[2]" $argv
end

function __lastgood_first
    test (count (commandline -opc)) -eq 1
end

function __lastgood_before_tool
    # whether the tool of `run` is still to come: no word yet but options and their values
    set -l words (commandline -opc)
    set -l skip no
    for word in $words[3..-1]
        if test $skip = yes
            set skip no
        else if string match -q -- '-*' $word
            contains -- $word {valued}; and set skip yes
        else
            return 1
        end
    end
    return 0
end

function __lastgood_tool
    # the first word of a command that is neither an option nor the value of one
    set -l words (commandline -opc)
    set -l skip no
    for word in $words[3..-1]
        if test $skip = yes
            set skip no
        else if test "$word" = --to
            set skip yes
        else if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
end

complete -c lastgood -n __lastgood_first -f
{lines}
"""


def fish(known: "list[Verb]") -> str:
    """The script for fish."""
    valued = " ".join(name for option in _run_options() if option.takes_value for name in option.names)
    lines = [f"complete -c lastgood -n __lastgood_first -a {verb.name} -d {_fish_quoted(verb.summary)}" for verb in known]
    lines.append(f"complete -c lastgood -n '__lastgood_verb help' -f -a '{' '.join(verb.name for verb in known)}'")
    for verb in known:
        lines += _fish_verb(verb)
    return _FISH.format(valued=valued, lines="\n".join(lines))


def _fish_verb(verb: Verb) -> "list[str]":
    here = f"__lastgood_verb {verb.name}" + ("; and __lastgood_before_tool" if verb.name in _LIKE_RUN else "")
    start = f"complete -c lastgood -n {_fish_quoted(here)}"
    lines = []
    if verb.kind in (TOOLS, KEPT):
        lines.append(f"{start} -f -a '(lastgood completion --{verb.kind} 2>/dev/null)'")
    elif verb.kind == DIRECTORIES:
        lines.append(f"{start} -f -a '(__fish_complete_directories)'")
    elif verb.kind != FILES:
        lines.append(f"{start} -f")
    if verb.words:
        lines.append(f"{start} -f -a {_fish_quoted(' '.join(verb.words))}")
    for option in verb.options:
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
        value = f" -x -a {_fish_quoted(' '.join(option.choices))}" if option.choices else " -r" if option.takes_value else ""
        value = " -x -k -a '(lastgood completion --versions (__lastgood_tool) 2>/dev/null)'" if option.kind == VERSIONS else value
        lines.append(f"{start} {names}{value} -d {_fish_quoted(option.help)}")
    return lines


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
