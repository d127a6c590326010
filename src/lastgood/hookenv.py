"""What a user has a hook runner install beside lastgood: the `additional_dependencies` of a hook. On the hot path.

pre-commit and prek write them into the environment that they make. Upstream's own hooks have their tool in that environment, so
plugins listed there reach it; lastgood's tools have environments of their own, which have to be told.
"""

import os
import sys

_STATES = (("/.install_state_v1", '"additional_dependencies"'), ("/.prek-hook.json", '"dependencies"'))
"""Where a runner says so: pre-commit's file and prek's, and the key."""


def listed() -> "tuple[str, ...]":
    """The requirements that were listed for the hook in whose environment this process runs; none where there is no such thing."""
    prefix = os.path.dirname(os.path.dirname(sys.executable))  # `sys.prefix` is another one under `-S`
    for name, key in _STATES:
        try:
            descriptor = os.open(prefix + name, os.O_RDONLY)
        except OSError:
            continue
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            return _texts_after(key, file.read())
    return ()


def _texts_after(key: str, text: str) -> "tuple[str, ...]":
    """The list of texts under a key of a JSON object, read without `json`, which takes longer to import than all of a hot run."""
    _, found, rest = text.partition(key)
    _, opened, rest = rest.partition("[")
    if not (found and opened):
        return ()
    if "\\" in rest:
        import json  # quotes within quotes: a marker

        listed = json.loads(text)[key.strip('"')]
        return tuple(str(line) for line in listed)
    texts: list[str] = []
    while True:
        between, quote, rest = rest.partition('"')
        if not quote or "]" in between:
            return tuple(texts)
        word, _, rest = rest.partition('"')
        texts.append(word)
