"""What stands in when the index is down and nothing good is kept for the request: the lower rungs of the ladder.

This request's good generation is the first rung and not here. Then: a generation kept for another request that satisfies
this one · what uv's own cache still resolves to · the tool in the environment that lastgood itself runs in.
"""

import os
import sys
import time

from lastgood import launch, policy, refresh
from lastgood import record as records
from lastgood.errors import Damage, LaunchFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from lastgood.card import Card
    from lastgood.identity import Request
    from lastgood.record import Generation, Record
    from lastgood.refresh import Job
    from lastgood.targets import Target

_SAME = ("package", "extras", "options", "variables", "files", "platform")


def near(home: str, request: "Request", *, whatever_configured: bool = False) -> "list[tuple[Record, Generation]]":
    """Kept generations of other requests that satisfy this one, best first.

    Same package, extras, options, variables and files; the version satisfies the specifier; the interpreter may differ. Nothing
    that is older than `stale-max` of this one.
    Never across indexes: they are among options, variables and files. With `whatever_configured` uv's own configuration file
    does not count: it is broken, and uv takes no index from it either.
    """
    found = []
    for identity in records.identities(home, request.slug + "-"):
        if identity == request.id:
            continue
        try:
            record = records.load(home, identity)
        except (Damage, records.NewerFormat, OSError):
            continue
        if record is None or _asked(record.request, whatever_configured) != _asked(request.fields, whatever_configured):
            continue
        generation = record.runs(home)
        if generation is None or not satisfies(generation.version, request):
            continue
        asked, _ = record.standing_of(generation)
        if policy.may_stand_in(time.time() - asked, request.stale_max):
            found.append((record, generation))
    same = request.fields["interpreter"]
    found.sort(key=lambda pair: (pair[0].request.get("interpreter") == same, pair[0].asked), reverse=True)
    return found


def _asked(fields: "Mapping[str, Any]", whatever_configured: bool) -> "list[Any]":  # noqa: FBT001 (both sides alike)
    """The fields in which two requests must agree."""
    same = [fields.get(name) for name in _SAME]
    if whatever_configured:
        same[_SAME.index("files")] = [file for file in fields.get("files", ()) if not file.startswith("uv.toml:")]
    return same


def satisfies(version: str, request: "Request") -> bool:
    """Whether a version is one that the request allows."""
    return allows(request.target, version)


def allows(target: "Target", version: str) -> bool:
    """Whether a version is one that a target names."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    if target.kind != "registry":
        return False
    try:
        return SpecifierSet(target.specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def near_card(job: "Job", *, whatever_configured: bool = False) -> "tuple[Card, str] | None":
    """The card of the best near match, and a note on what differs. Never what this request's own `check` has refused."""
    check = "\t".join(job.request.check)
    for record, generation in near(job.home, job.request, whatever_configured=whatever_configured):
        if job.record is not None and job.record.refuses(generation.digest, generation.version, check) is not None:
            continue
        card = refresh.derive_card(job, record, generation)
        if card is not None and _starts(job, card):
            other = record.request.get("interpreter") != job.request.fields["interpreter"]
            note = (
                f"kept with Python {generation.python}" if other else f"kept for `{record.request.get('specifier') or record.tool}`"
            )
            return card, note
    return None


def _starts(job: "Job", card: "Card") -> bool:
    try:
        launch.intact(job.home, card)
    except LaunchFailed:
        return False  # its interpreter may be the very reason why this request is another one
    return launch.provides(card, job.environ, job.home)


def own_program(request: "Request") -> "tuple[str, str] | None":
    """The tool in the environment of lastgood itself, with its version: a hook's `additional_dependencies`.

    None where a distribution of the wanted name does not provide the command, or where this environment is not what the request
    asks for: another version, an extra or a `--with` that is not installed, another Python, an index.
    """
    if request.target.kind != "registry" or not request.command or "/" in request.command:
        return None
    program = os.path.join(os.path.dirname(sys.executable), request.command)
    if not os.access(program, os.X_OK):
        return None
    from importlib.metadata import PackageNotFoundError, distribution  # slow, and most tools are not there

    try:
        found = distribution(request.target.name)
    except PackageNotFoundError:
        return None
    beside = wanted_beside(request)
    pythons = [
        value for name, value in (*request.fields["options"], *request.fields["variables"]) if name in ("--python", "UV_PYTHON")
    ]
    if beside is None or not all(map(_is_this_python, pythons)):
        return None
    wanted = [*(line for line in found.requires or () if _is_of_extras(line, request.target.extras)), *beside]
    return (program, found.version) if satisfies(found.version, request) and all(map(_is_installed, wanted)) else None


def wanted_beside(request: "Request") -> "list[str] | None":
    """What an environment must have beside the tool to be what is asked for; None where an option asks for more, as an index.

    What the configuration adds, a cooldown, asks nothing of what somebody has installed. `--python` is for the caller.
    """
    found = []
    for name, value in request.fields["options"]:
        if name == "--with":
            found.append(value)
        elif name != "--python" and f"{name}={value}" not in request.extra:
            return None
    return found


def _is_this_python(asked: str) -> bool:
    """Whether what `--python` names is this interpreter: its path, `3`, `3.12`, `3.12.1`."""
    parts = asked.split(".")
    return os.path.realpath(asked) == os.path.realpath(sys.executable) or parts == [
        str(part) for part in sys.version_info[: len(parts)]
    ]


def _is_of_extras(requirement: str, extras: "Sequence[str]") -> bool:
    """Whether a distribution requires this for one of its extras, and only for it."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        marker = Requirement(requirement).marker
    except InvalidRequirement:
        return False
    return marker is not None and not marker.evaluate({"extra": ""}) and any(marker.evaluate({"extra": one}) for one in extras)


def _is_installed(requirement: str) -> bool:
    """Whether this environment has what a requirement asks for; its own extras are not looked into."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
        return wanted.specifier.contains(version(wanted.name), prereleases=True)
    except (InvalidRequirement, PackageNotFoundError):
        return False


def from_uv_cache(job: "Job") -> "Card | None":
    """What uv's own cache still resolves to, checked and retained like any other; None where it is not enough."""
    job.offline = True
    job.shown = False
    outcome = refresh.refresh(job)
    job.offline = False
    if not outcome.good or job.record is None:
        return None
    generation = job.record.usable(job.home)
    card = refresh.derive_card(job, job.record, generation) if generation is not None else None
    return card if card is not None and _starts(job, card) else None
