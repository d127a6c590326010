"""`lastgood status`: what is kept, how old it is, which hosts are down."""

import json
import os
import sys
import time

from lastgood import breaker, generations, manage, messages, paths, policy, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from lastgood.record import Record

SCHEMA = 1


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("tool", nargs="?", metavar="TOOL", help="Only this tool")
    parser.add_argument("--json", action="store_true", help="Print JSON (schema 1) instead of a table")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Print the table, or JSON."""
    home = paths.home(environ)
    found = collect(home, given.tool, time.time())
    if given.json:
        sys.stdout.write(json.dumps(found, indent=2, sort_keys=True) + "\n")
        return 0
    if not found["tools"]:
        what = f"no good `{given.tool}` is kept" if given.tool else "nothing is kept yet"
        sys.stdout.write(f"{what} in {home}\n")
    else:
        sys.stdout.write(_table(found["tools"]))
    for host in found["hosts"]:
        wait = f"next try in {messages.ago(host['next_try_in'])}" if host["next_try_in"] > 0 else "next run tries again"
        sys.stdout.write(f"{host['host']} has not answered since {messages.clock(host['since'])} ({host['reason']}); {wait}\n")
    return 0


def collect(home: str, tool: "str | None", now: float) -> "dict[str, Any]":
    """What `--json` prints."""
    rows = [
        _row(home, record, now) for record in manage.all_records(home) if tool in (None, record.tool, record.request.get("package"))
    ]
    rows.sort(key=lambda row: (row["tool"], -row["asked"]))
    return {"schema": SCHEMA, "home": home, "tools": rows, "hosts": _hosts(home, now)}


def _row(home: str, record: "Record", now: float) -> "dict[str, Any]":
    current = record.generation()
    age = now - record.asked if record.asked else None
    stands = current is not None and generations.exists(home, current.id)
    return {
        "tool": record.tool,
        "package": record.request.get("package", ""),
        "specifier": record.request.get("specifier", ""),
        "version": current.version if current else "",
        "python": current.python if current else "",
        "asked": record.asked,
        "age": age,
        "state": _state(record, age, stands=stands),
        "held": record.held,
        "record": record.id,
        "generations": [{"id": one.id, "version": one.version, "kept": one.kept} for one in record.generations],
        "refused": record.refused,
        "hosts": record.hosts,
        "last": {name: value for name, value in record.last.items() if name != "words"},
    }


def _state(record: "Record", age: "float | None", *, stands: bool) -> str:
    if not stands:
        return "missing"
    if record.held:
        return "held"
    if record.last.get("outcome") == "refused":
        return "refused"
    default = settings.duration(settings.BY_NAME["max-age"].default, "max-age")
    return "fresh" if age is not None and policy.is_fresh(age, default) else "stale"


def _hosts(home: str, now: float) -> "list[dict[str, Any]]":
    try:
        names = sorted(os.listdir(home + "/hosts"))
    except OSError:
        return []
    found = [breaker.read(home, name) for name in names]
    return [
        {
            "host": breaker.shown(one.host) or "the index",
            "since": one.since,
            "reason": one.reason,
            "next_try_in": round(max(0.0, one.until - now), 1),
        }
        for one in found
        if one is not None
    ]


def _table(rows: "list[dict[str, Any]]") -> str:
    lines = [("TOOL", "VERSION", "CHECKED", "STATE", "REQUEST")]
    for row in rows:
        checked = f"{messages.ago(row['age'])} ago" if row["age"] is not None else "unknown"
        lines.append((row["tool"], row["version"], checked, row["state"], row["specifier"] or "any version"))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines)
