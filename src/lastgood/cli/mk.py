"""`lastgood mk`: a makefile with one variable per tool of the table; prints its name, for `include`."""

import os
import sys
import zlib

from lastgood import paths, project, record, surroundings
from lastgood.errors import LastgoodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

_UNNAMEABLE = "$#%*?[~:;\\"  # what make reads as something else than a part of a name
_TARGETS = r"""

ifndef lastgood-included
lastgood-included := yes
# the first target of the makefile that includes this one stays the default
lastgood-goal := $(.DEFAULT_GOAL)
.PHONY: lastgood-warm lastgood-always-warm
lastgood-warm: ; $(LASTGOOD) warm
lastgood-always-warm:
# whether a makefile, read to its end, has a rule for `warm` of its own
lastgood-own-warm := $(shell awk '\
  { line = line $$0 } \
  sub(/\\$$/, " ", line) { next } \
  { sub("\043.*", "", line) } \
  line ~ /^([^\t:=][^:=]*[ \t]| +)?warm([ \t][^:=]*)?:/ && \
    line !~ /^[^:]*:[^;]*=/ { print "yes"; exit } \
  { line = "" }' \
  $(filter-out $(lastword $(MAKEFILE_LIST)),$(MAKEFILE_LIST)) 2>/dev/null)
ifeq ($(lastgood-own-warm),)
.PHONY: warm
warm: ; $(LASTGOOD) warm
else
# An implicit rule: a recipe of the makefile's own wins without a warning. Only
# `warm` has the prerequisite, which makes it run although there is a file of
# that name; the pattern is the one that meets the fewest other names.
w%rm: lastgood-always-w%rm ; $(LASTGOOD) warm
endif
.DEFAULT_GOAL := $(lastgood-goal)
endif
"""
# A phony target gets no recipe from an implicit rule, and an explicit one beside the makefile's own is a warning on every make.
# make cannot be asked which rules follow, so the text is: the makefile that includes this one stands whole in MAKEFILE_LIST.

ABOUT = """\
  include $(or $(shell lastgood mk),$(error lastgood is missing, or see above))

  lint: ; $(RUFF) check ."""


def arguments(_: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb: none."""


def main(_: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Write the makefile of this directory's table and print its name; of one that ends make where that cannot be done.

    make goes on where an `include` names nothing, and `$(RUFF) check` would start a program called `check`.
    """
    try:
        made = _write(environ)
    except LastgoodError:
        _print(os.path.join(os.path.dirname(__file__), "failed.mk"))
        raise
    _print(made)
    return 0


def _print(path: str) -> None:
    sys.stdout.write(path.replace(" ", "\\ ") + "\n")


def _write(environ: "dict[str, str]") -> str:
    """The name of the makefile that was written. Raises LastgoodError."""
    cwd = os.getcwd()
    found = project.load(surroundings.configs(cwd), surroundings.user_config(environ), environ, {}, base=cwd)
    home = paths.home(environ)
    place = os.path.join(home, "mk")
    path = os.path.join(place, f"{zlib.crc32(cwd.encode('utf-8', 'surrogateescape')):08x}.mk")
    if any(c in _UNNAMEABLE or (c.isspace() and c != " ") for c in path):
        raise LastgoodError(f"`{path}` is no name that make could include", "set `LASTGOOD_HOME`")
    paths.trusted(home)  # make runs what is written there
    try:
        for directory in (home, place):  # each with its mode: `makedirs` gives it to the last one alone
            os.makedirs(directory, mode=0o700, exist_ok=True)
        record.write(path, text(sorted(found.tools)), durable=False)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LastgoodError(
            f"`{path}` cannot be written ({reason})", "set `LASTGOOD_HOME` to a directory that you can write to"
        ) from error
    return path


def text(tools: "Iterable[str]") -> str:
    """The makefile: `RUFF` for ruff, `PRE_COMMIT` for pre-commit; a variable that is set already stays."""
    lines = ["# written by `lastgood mk` from [tool.lastgood.tools]; not to be edited", "LASTGOOD ?= lastgood"]
    lines += [f"{variable(tool)} ?= $(LASTGOOD) run {tool}" for tool in tools]
    return "\n".join(lines) + _TARGETS


def variable(tool: str) -> str:
    """The name of a tool's variable."""
    return "".join(c if c.isalnum() else "_" for c in tool).upper()
