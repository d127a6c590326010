"""What stands in when the index is down and nothing good is kept for the request: the lower rungs of the ladder.

This request's good generation is the first rung and not here. Then: a generation kept for another request that satisfies
this one · what uv's own cache still resolves to · the tool in the environment that lastgood itself runs in.
"""

import os
import sys

from lastgood import record as records
from lastgood import refresh
from lastgood.errors import Damage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lastgood.card import Card
    from lastgood.identity import Request
    from lastgood.record import Generation, Record
    from lastgood.refresh import Job

_SAME = ("package", "extras", "options", "variables", "files", "platform")


def near(home: str, request: "Request") -> "list[tuple[Record, Generation]]":
    """Kept generations of other requests that satisfy this one, best first.

    Same package, extras, options, variables and files; the version satisfies the specifier; the interpreter may differ.
    Never across indexes: they are among options, variables and files.
    """
    found = []
    for identity in records.identities(home, request.slug + "-"):
        if identity == request.id:
            continue
        try:
            record = records.load(home, identity)
        except (Damage, records.NewerFormat, OSError):
            continue
        if record is None or any(record.request.get(name) != request.fields[name] for name in _SAME):
            continue
        generation = record.usable(home)
        if generation is not None and satisfies(generation.version, request):
            found.append((record, generation))
    same = request.fields["interpreter"]
    found.sort(key=lambda pair: (pair[0].request.get("interpreter") == same, pair[0].asked), reverse=True)
    return found


def satisfies(version: str, request: "Request") -> bool:
    """Whether a version is one that the request allows."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    target = request.target
    if target.kind != "registry":
        return False
    try:
        return SpecifierSet(target.specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def near_card(job: "Job") -> "tuple[Card, str] | None":
    """The card of the best near match, and a note on what differs."""
    for record, generation in near(job.home, job.request):
        card = refresh.derive_card(job, record, generation)
        if card is not None:
            other = record.request.get("interpreter") != job.request.fields["interpreter"]
            note = (
                f"kept with Python {generation.python}" if other else f"kept for `{record.request.get('specifier') or record.tool}`"
            )
            return card, note
    return None


def own_program(request: "Request") -> "tuple[str, str] | None":
    """The tool in the environment of lastgood itself, with its version: a hook's `additional_dependencies`.

    None where a distribution of the wanted name does not provide the command, or its version is none that the request allows.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    if request.target.kind != "registry" or "/" in request.command:
        return None
    try:
        found = distribution(request.target.name)
    except PackageNotFoundError:
        return None
    program = os.path.join(os.path.dirname(sys.executable), request.command)
    if not satisfies(found.version, request) or not os.access(program, os.X_OK):
        return None
    return program, found.version


def from_uv_cache(job: "Job") -> "Card | None":
    """What uv's own cache still resolves to, checked and retained like any other; None where it is not enough."""
    job.offline = True
    job.shown = False
    outcome = refresh.refresh(job)
    job.offline = False
    if not outcome.good or job.record is None:
        return None
    generation = job.record.usable(job.home)
    return refresh.derive_card(job, job.record, generation) if generation is not None else None
