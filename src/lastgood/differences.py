"""Requests in words for people: one in short, and in what two differ, the one of here and one that something is kept for."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_SINGLE = (("package", "package"), ("specifier", "version"), ("platform", "platform"), ("interpreter", "interpreter"))
_NOTHING = {"version": "any", "interpreter": "as asked for"}


def between(here: "Mapping[str, Any]", there: "Mapping[str, Any]") -> "list[str]":
    """One phrase a difference of the `fields` of two requests: ``version: there ==1.0, here any``. Credentials are in neither."""
    found = [
        f"{title}: there {there.get(name) or _NOTHING.get(title, 'none')}, here {here.get(name) or _NOTHING.get(title, 'none')}"
        for name, title in _SINGLE
        if (here.get(name) or "") != (there.get(name) or "")
    ]
    found += _one_sided("extra", here.get("extras", ()), there.get("extras", ()))
    found += _one_sided("option", *(_spelt(fields.get("options", ())) for fields in (here, there)))
    found += _variables(*(dict(fields.get("variables", ())) for fields in (here, there)))
    found += _files(*(_by_name(fields.get("files", ())) for fields in (here, there)))
    return found


def label(tool: str, fields: "Mapping[str, Any]") -> str:
    """A request in short, told from others of the same tool: ``mypy[reports] >=2 --with=lxml``."""
    extras = ",".join(fields.get("extras", ()))
    words = [tool + (f"[{extras}]" if extras else ""), fields.get("specifier") or "", *_spelt(fields.get("options", ()))]
    return " ".join(word for word in words if word)


def moved(old: "Mapping[str, str]", new: "Mapping[str, str]") -> "list[str]":
    """What moved between the distributions of two environments: ``click 8.1.8 → 8.2.0``."""
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return [f"{name} {old.get(name, 'nothing')} → {new.get(name, 'nothing')}" for name in names]


def _spelt(options: "Sequence[Sequence[str]]") -> "list[str]":
    return [f"{name}={value}" if value else name for name, value in options]


def _one_sided(title: str, here: "Sequence[str]", there: "Sequence[str]") -> "list[str]":
    """What only one side has; where both have the same in another order, that."""
    only = [f"{title}: {word} only there" for word in there if word not in here]
    only += [f"{title}: {word} only here" for word in here if word not in there]
    return only if only or list(here) == list(there) else [f"{title}s: in another order or number"]


def _variables(here: "dict[str, str]", there: "dict[str, str]") -> "list[str]":
    names = [name for name in sorted({*here, *there}) if here.get(name) != there.get(name)]
    return [f"variable: {name} {_side(there, name, 'there')}, {_side(here, name, 'here')}" for name in names]


def _side(variables: "Mapping[str, str]", name: str, where: str) -> str:
    return f"{where} {variables[name] or 'empty'}" if name in variables else f"{where} not set"


def _by_name(files: "Sequence[str]") -> "dict[str, list[str]]":
    """The digests of the files that decide, under what they are called: the file's name, or the place of a local index."""
    found: dict[str, list[str]] = {}
    for file in files:
        name, _, digest = file.rpartition(":")
        found.setdefault(name.removeprefix("place:"), []).append(digest)
    return found


def _files(here: "dict[str, list[str]]", there: "dict[str, list[str]]") -> "list[str]":
    found = []
    for name in sorted({*here, *there}):
        if here.get(name) != there.get(name):
            how = "only here" if name not in there else "only there" if name not in here else "reads otherwise"
            found.append(f"file: {name} {how}")
    return found
