"""Requests in words for people: one in short, and in what two differ, the one of here and one that something is kept for."""

from lastgood import targets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_SINGLE = (("package", "package"), ("specifier", "version"), ("platform", "platform"), ("interpreter", "interpreter"))
_KINDS = ("specifier", "extras", "options", "variables", "files", "interpreter", "package", "platform")
_SAID = {"interpreter": "on ", "package": "from ", "platform": "on "}
_LONG = 16
"""How much of a value tells requests apart; a label has to leave room for the rest of a row."""
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
    named = with_specifier(tool + (f"[{extras}]" if extras else ""), fields.get("specifier") or "")
    return " ".join([named, *_spelt(fields.get("options", ()))])


def with_specifier(named: str, specifier: str) -> str:
    """A label with a specifier; in the place of its tool where that is a direct address which names the tool itself."""
    tool, gap, rest = named.partition(" ")
    if "://" in specifier and targets.normalise(_before(specifier)) == targets.normalise(_before(tool)):
        return specifier + gap + rest
    return f"{named} {specifier}" if specifier else named


def address(specifier: str) -> str:
    """The address in a specifier that has one, without the name before it."""
    name, _, rest = specifier.partition("@")
    return rest.strip() if rest and "://" not in name else specifier


def _before(text: str) -> str:
    """The name at the start of a requirement; an address without one is itself."""
    return text.removesuffix(address(text)).rstrip(" @").partition("[")[0] or text.partition("[")[0]


def told_apart(labels: "Sequence[str]", requests: "Sequence[Mapping[str, Any]]") -> "list[str]":
    """The labels of requests, one each; those that are equal with what tells them apart, and no more of it than does."""
    told = list(labels)
    for kind in _KINDS:
        for alike in _alike(told):
            for at, found in zip(alike, _only_here([_facets(requests[at], kind) for at in alike]), strict=True):
                told[at] = " ".join([told[at], *found])
    for alike in _alike(told):
        for number, at in enumerate(alike[1:], 2):
            told[at] += f" ({number})"  # the same in another order, or what a later lastgood tells requests by
    return told


def _alike(labels: "Sequence[str]") -> "list[list[int]]":
    """The places of each label that stands more than once."""
    places: dict[str, list[int]] = {}
    for at, one in enumerate(labels):
        places.setdefault(one, []).append(at)
    return [found for found in places.values() if len(found) > 1]


def _facets(fields: "Mapping[str, Any]", kind: str) -> "list[tuple[str, str]]":
    """What a request says of one kind, as (name, value)."""
    found = fields.get(kind) or ()
    if isinstance(found, str):
        return [(_SAID.get(kind, ""), found)]
    if kind == "files":
        return [(f"{name}:", ",".join(digests)[:_LONG]) for name, digests in _by_name(found).items()]
    return [(f"{one[0]}=" if one[1] else one[0], one[1]) if kind != "extras" else ("", one) for one in found]


def _only_here(sides: "Sequence[Sequence[tuple[str, str]]]") -> "list[list[str]]":
    """Of each side what not every side has, in words."""
    of_all = [pair for pair in sides[0] if all(pair in side for side in sides)]
    values: dict[str, list[str]] = {}
    for name, value in (pair for side in sides for pair in side if pair not in of_all):
        values.setdefault(name, []).append(value)
    shared = {name: _shared(found) for name, found in values.items()}
    return [[name + _part(value, *shared[name]) for name, value in side if (name, value) not in of_all] for side in sides]


def _shared(values: "Sequence[str]") -> "tuple[int, int]":
    """How many letters all of several different values begin and end with."""
    if len(set(values)) == 1:
        return 0, 0
    start = _alike_until(values)
    return start, _alike_until([value[start:][::-1] for value in values])


def _alike_until(values: "Sequence[str]") -> int:
    first, last = min(values), max(values)  # what these begin with, all that lie between begin with
    pairs = enumerate(zip(first, last, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(last)))


def _part(value: str, start: int, end: int) -> str:
    """A long value without what it shares with others: ``…eu.…``."""
    if len(value) <= _LONG:
        return value
    part = value[start : len(value) - end][:_LONG]
    return ("…" if start else "") + part + ("…" if start + len(part) < len(value) else "")


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
