"""What a command says on standard output: lines for people and JSON for programs, without what is nobody's to see.

Names, reasons and addresses are other people's: a line may neither paint a terminal nor show credentials. Every verb writes through
this module, but for a file that another program reads (a makefile, a completion, a page).
"""

import json
import sys

from lastgood import messages, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def say(text: str = "") -> None:
    """One line, with what would end it early made visible."""
    sys.stdout.write(messages.shown(text) + "\n")


def data(found: "Any", *, indent: "int | None" = None, sort_keys: bool = False) -> None:
    """One JSON document, on a line of its own where nothing is indented."""
    sys.stdout.write(json.dumps(_harmless(found), indent=indent, sort_keys=sort_keys) + "\n")


def _harmless(found: "Any") -> "Any":
    """The same data, the addresses in it without credentials. Not the text of it: that would no longer be JSON."""
    if isinstance(found, str):
        return request.without_credentials(found)
    if isinstance(found, dict):
        return {name: _harmless(value) for name, value in found.items()}
    return [_harmless(one) for one in found] if isinstance(found, (list, tuple)) else found
