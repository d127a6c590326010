"""Whether the files of an environment are what its distributions installed, as their RECORD files have it (PEP 376)."""

import csv
import hashlib
import os
from base64 import urlsafe_b64encode

from lastgood import generations


def altered(root: str, known: "dict[tuple[int, int], str]") -> "tuple[int, list[str]]":
    """How many files of a generation were compared, and which are not what their RECORD says; `known` remembers by inode."""
    try:
        libraries = generations.Environment(root).libraries
        names = sorted(name for name in os.listdir(libraries) if name.endswith(".dist-info"))
    except (OSError, generations.NotRetainable):
        return 0, []  # `look_at_environments` tells what is missing
    count, wrong = 0, []
    for name in names:
        for path, digest in _listed(f"{libraries}/{name}/RECORD"):
            full = os.path.normpath(f"{libraries}/{path}")
            if digest and full.startswith(root + "/"):
                count += 1
                if _digest_of(full, known) != digest:
                    wrong.append(os.path.relpath(full, libraries) if full.startswith(libraries) else os.path.relpath(full, root))
    return count, wrong


def _listed(path: str) -> "list[tuple[str, str]]":
    """(path, SHA-256 as RECORD has it) of every file that a distribution installed; "" where RECORD has another hash, or none."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if len(row) > 1]
    except (OSError, UnicodeDecodeError, csv.Error):
        return [(os.path.basename(path), "sha256=unreadable")] if os.path.exists(path) else []
    return [(row[0], row[1] if row[1].startswith("sha256=") else "") for row in rows]


def _digest_of(path: str, known: "dict[tuple[int, int], str]") -> str:
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            inode = (found.st_dev, found.st_ino)
            if inode not in known:
                raw = hashlib.file_digest(file, "sha256").digest()
                known[inode] = "sha256=" + urlsafe_b64encode(raw).decode().rstrip("=")
    except OSError:
        return ""
    return known[inode]
