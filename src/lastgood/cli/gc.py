"""`lastgood gc`: remove what nothing names and nothing runs."""

import sys

from lastgood import paths, upkeep

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("--dry-run", action="store_true", help="Only say what would be removed")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Collect."""
    done = upkeep.collect(paths.home(environ), dry_run=given.dry_run)
    verb = "would remove" if given.dry_run else "removed"
    for name in done.names if given.dry_run else []:
        sys.stdout.write(f"{name}\n")
    size = f" ({done.freed / (1 << 20):.1f} MiB)" if done.freed else ""
    sys.stderr.write(f"lastgood: {verb} {done.generations} generations{size}; kept {done.kept}, {done.running} of them in use\n")
    return 0
