"""The door: `run` goes to the hot path, anything else to the command-line interface."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main(argv: "list[str] | None" = None) -> int:
    """Run lastgood with `argv` (without the program's name); the exit status."""
    try:
        return _main(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # while a command is still imported: later it ends in its own way
        from lastgood.launch import die_interrupted

        die_interrupted()
        return 130


def _main(words: "list[str]") -> int:
    if words[:1] == ["run"] and words[1:2] not in (["--help"], ["-h"], []) and words[1:] != ["--"]:
        try:
            from lastgood import fastpath
        except Exception as error:  # noqa: BLE001 (a half-upgraded install must not keep a tool from starting)
            from lastgood import lastresort

            return lastresort.become_uvx(words[1:], error)
        return fastpath.main(words[1:])
    from lastgood.cli import app

    return app.main(words)


def launch() -> "NoReturn":
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    launch()
