"""`lastgood status`: what is kept, how old it is, what an outage would run, which hosts are down."""

import math
import shlex
import sys
import time

from lastgood import (
    breaker,
    differences,
    generations,
    manage,
    messages,
    paths,
    policy,
    rehearsal,
    request,
    targets,
)
from lastgood import record as records
from lastgood.cli import forecast, lines
from lastgood.errors import LastgoodError, SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from lastgood.project import Configuration
    from lastgood.record import Record

SCHEMA = 1
ABOUT = """\
  CHECKED  how long ago the index last answered: the bar fills with \u2588 up to
           max-age, and from there with \u2592 up to stale-max, where that is set

  STATE   fresh    the index answered within max-age
          stale    the next run asks the index, or runs this in an outage
          held     no refresh replaces it (`lastgood unhold`)
          refused  a newer release does not start, or was rolled back from;
                   without a VERSION no release was good yet
          missing  what was kept cannot run; the next run builds it again

  OUTAGE RUNS  the version, and in brackets from where, unless it is kept:
               `near` another request, `uv's cache`, `own`, lastgood's own
               environment, or `installed` with `uv tool install`, which uvx
               prefers; `unknown` where nobody was asked"""
_BAR = 5
_COLUMNS = ("TOOL", "VERSION", "CHECKED", "STATE", "MODE", "FROM", "OUTAGE RUNS")


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Declare the words of this verb."""
    parser.add_argument("tool", nargs="?", metavar="TOOL", help="Only this tool")
    parser.add_argument("--json", action="store_true", help=f"Print JSON, schema {SCHEMA}")
    parser.add_argument("--markdown", action="store_true", help="Print a Markdown table, for the summary of a CI job")


def main(given: "argparse.Namespace", environ: "dict[str, str]") -> int:
    """Print the table, JSON or Markdown."""
    if given.tool is not None:
        manage.check_name(given.tool)
    home = paths.home(environ)
    configuration = forecast.configuration(environ)
    wrong = configuration if isinstance(configuration, LastgoodError) else None
    wanted, nothing = _wanted(home, given.tool, environ, wrong)
    found = collect(home, wanted, environ, configuration)
    if given.json:
        lines.data(found, indent=2, sort_keys=True)
    else:
        _print(given, found, home, nothing)
    if wrong is not None:
        sys.stdout.flush()
        messages.tell(wrong, environ)
    return 0 if wrong is None else wrong.status


def _wanted(home: str, tool: "str | None", environ: "dict[str, str]", wrong: "LastgoodError | None") -> "tuple[list[Record], str]":
    """The records to show, those that `lastgood history TOOL` would tell of; and what to say where there are none.

    A tool that is named without versions is meant whole: every request for it is shown. Where the configuration is `wrong`, which
    is told beside them, nobody knows which request is that of here. Raises SettingError for a mistake that is not told so.
    """
    known = list(manage.all_records(home, refused=True))
    later = f"run `lastgood warm {shlex.quote(request.without_credentials(tool or 'TOOL'))}` while the index is up"
    if tool is None:
        return known, f"nothing is kept yet in {home}; {later}"
    try:
        asked = targets.parse(tool)
        if asked.specifier or asked.latest or asked.extras or asked.url:
            return manage.of_tool(home, tool, environ, refused=True), ""
    except request.Handover as refusal:
        return [one for one in known if one.tool == tool], _line(manage.never(tool, refusal))
    except SettingError:
        if wrong is None:
            raise
    except LastgoodError as error:
        return [], _line(error)
    late = {} if (found := manage.of_words(known, asked)) else manage.newer(home, paths.slug(asked.name))
    if late:
        return [], _line(manage.written_by_a_newer(tool, late))
    return found, f"no good `{tool}` is kept in {home}; {later}"


def _line(error: LastgoodError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _print(given: "argparse.Namespace", found: "dict[str, Any]", home: str, nothing: str) -> None:
    if not found["tools"]:
        _say(nothing)
    elif given.markdown:
        for line in _markdown(found["tools"]):
            lines.say(line)
    else:
        from lastgood.cli import render

        rows, styles = [_cells(row) for row in found["tools"]], [_style(row) for row in found["tools"]]
        if render.console().is_terminal:
            rows = render.with_short_addresses(_COLUMNS, rows, [str(row["specifier"]) for row in found["tools"]])
        render.table(_COLUMNS, rows, styles=styles, spare=(5, 4), yielding=(1, 6))
    below = _below(found, {} if given.tool else manage.newer(home))
    if below and given.markdown:
        lines.say()  # or they would be rows of the table
    for line in below:
        _say(line)
    if found["tools"] and not given.markdown:
        kept = [row["tool"] for row in found["tools"] if row["generations"]]
        count, tools = len(kept), len(set(kept))
        of = f" of {messages.count(tools, 'tool')}" if tools != count else ""
        lines.say(f"{count} kept{of}, {messages.size(found['bytes'])} in {home}")


def _below(found: "dict[str, Any]", late: "dict[str, int]") -> "list[str]":
    """What is to be said beside the table; `late` are the records that a newer lastgood wrote."""
    lines = [manage.written_by_a_newer(records.slug_of(name), {name: number}).message for name, number in late.items()]
    for host in found["hosts"]:
        wait = f"next try in {messages.ago(host['next_try_in'])}" if host["next_try_in"] > 0 else "the next run tries again"
        lines.append(f"{host['host']} is down since {messages.clock(host['since'])} ({host['reason']}); {wait}")
    if any(row["outage_rung"] == forecast.UNKNOWN for row in found["tools"]):
        lines.append("what an outage would run is not known of each; `lastgood warm --all --check` looks closer")
    return lines


def _say(line: str) -> None:
    from lastgood.cli import render

    render.row((line,), ())


def collect(
    home: str, wanted: "list[Record]", environ: "dict[str, str]", configuration: "Configuration | LastgoodError | None"
) -> "dict[str, Any]":
    """What `--json` prints; documented in docs/json.md."""
    now = time.time()
    labels = [differences.label(one.tool, one.request) for one in wanted]
    rows = [_row(home, record, now, configuration, environ) for record in wanted]
    for row, label in zip(rows, differences.told_apart(labels, [one.request for one in wanted]), strict=True):
        row["label"] = label
    _look_lower(rows, wanted, environ)
    rows.sort(key=lambda row: (row["tool"], -row["asked"]))
    return {"schema": SCHEMA, "home": home, "tools": rows, "hosts": _hosts(home, now), "bytes": sum(row["bytes"] for row in rows)}


def _row(
    home: str,
    record: "Record",
    now: float,
    configuration: "Configuration | LastgoodError | None",
    environ: "dict[str, str]",
) -> "dict[str, Any]":
    current = record.generation()
    age = now - record.asked if record.asked else None
    wanted = forecast.Wanted(configuration, record)
    rung, runs = forecast.of_installed(record, environ) or (forecast.of_kept(home, record, now, wanted) or ("", ""))[:2]
    return {
        "tool": record.tool,
        "package": record.request.get("package", ""),
        "specifier": record.request.get("specifier", ""),
        "version": current.version if current else "",
        "python": current.python if current else "",
        "asked": record.asked,
        "age": age,
        "max_age": _number(wanted.max_age),
        "stale_max": _number(wanted.stale_max),
        "state": _state(record, age, wanted.max_age, stands=current is not None and not current.trouble(home, record.tool)),
        "mode": wanted.mode,
        "outage_runs": runs,
        "outage_rung": rung,
        "held": record.held,
        "record": record.id,
        "generations": [{"id": one.id, "version": one.version, "kept": one.kept} for one in record.generations],
        "refused": record.refused,
        "hosts": record.hosts,
        "index": breaker.shown(next(iter(record.hosts if record.configured is None else record.configured), "")),
        "bytes": sum(generations.size(home, one.id) for one in record.generations),
        "last": {name: value for name, value in record.last.items() if name not in ("words", "fresh", "hasty")},
    }


def _look_lower(rows: "list[dict[str, Any]]", kept: "list[Record]", environ: "dict[str, str]") -> None:
    """Enter what an outage would run where no record decides it."""
    open_ones = [(row, record) for row, record in zip(rows, kept, strict=True) if not row["outage_rung"]]
    found = forecast.of_lower([record for _, record in open_ones], environ) if open_ones else []
    for (row, _), (rung, version) in zip(open_ones, found, strict=True):
        row["outage_rung"], row["outage_runs"] = rung, version


def _number(seconds: float) -> "float | None":
    """Seconds as JSON has them: it knows no infinity."""
    return None if math.isinf(seconds) else seconds


def _state(record: "Record", age: "float | None", max_age: float, *, stands: bool) -> str:
    if not record.generations:
        return "refused"  # or nothing would be known of it
    if not stands:
        return "missing"
    if record.held:
        return "held"
    if record.rolled_back() or any(one["by"] == "check" for one in record.refused):
        return "refused"
    return "fresh" if age is not None and policy.is_fresh(age, max_age) else "stale"


def _hosts(home: str, now: float) -> "list[dict[str, Any]]":
    return [
        {
            "host": breaker.shown(one.host) or "the index",
            "since": one.since,
            "reason": one.reason,
            "next_try_in": round(one.until - now, 1) if one.is_open(now) else 0.0,
        }
        for one in breaker.known(home)
    ]


# --- words ----------------------------------------------------------------------------------------------------------


def _cells(row: "dict[str, Any]") -> "tuple[str, ...]":
    return (row["label"], row["version"], _age(row), row["state"], row["mode"], row["index"] or "uv's default", _outage(row))


def _outage(row: "dict[str, Any]") -> str:
    """The version that an outage would run, with its rung where that is not the record's own."""
    rung, version = row["outage_rung"], row["outage_runs"]
    return version if version and rung == rehearsal.KEPT else f"{version} ({rung})" if version else str(rung)


def _age(row: "dict[str, Any]") -> str:
    """The age as a bar, first against max-age, then against stale-max where there is one; and in words."""
    age = row["age"]
    if age is None:
        return "·" * _BAR + " unknown"
    max_age, stale_max = (math.inf if row[name] is None else row[name] for name in ("max_age", "stale_max"))
    late = age > max_age and not math.isinf(stale_max)
    most = stale_max if late else max_age
    full = round(min(1.0, max(0.0, age / most)) * _BAR) if most else _BAR
    return ("▒" if late else "█") * full + "·" * (_BAR - full) + f" {messages.ago(max(0.0, age))}"


def _style(row: "dict[str, Any]") -> str:
    return {"refused": "yellow", "held": "cyan", "missing": "red"}.get(row["state"], "")


def _markdown(rows: "list[dict[str, Any]]") -> "list[str]":
    head = ["| " + " | ".join(_COLUMNS).lower() + " |", "|" + " --- |" * len(_COLUMNS)]
    return head + ["| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(row)) + " |" for row in rows]
