"""The exceptions of lastgood, a small tree. Only words live here; nothing is printed and nothing is decided.

LastgoodError              any failure that has one line to say and an exit status
├── UsageError             the words on the command line are wrong
├── SettingError           a variable, flag or configuration key has a value that cannot be used
├── NoUvError              no uv can be found
├── NotNow                 another process is at it
└── StateError             the home cannot be used (foreign, writable by others, not a directory)
Damage                     a file of the state is not what it should be: never shown as it is
LaunchFailed               the tool could not be started; nothing has run yet
"""


class LastgoodError(Exception):
    """A failure that is told in one line and ends the program with `status`."""

    status = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LastgoodError):
    """The words on the command line are wrong."""


class SettingError(LastgoodError):
    """A variable, a flag or a configuration key has a value that cannot be used."""


class NoUvError(LastgoodError):
    """No uv was found, neither named, nor on PATH, nor beside lastgood."""


class NotNow(LastgoodError):  # noqa: N818 (read as a sentence)
    """Another process is changing what was to be changed: nothing is wrong with the words, and later they may do."""

    status = 1


class StateError(LastgoodError):
    """The home of lastgood cannot be trusted or used. `fatal` where that is a mistake of the user's, not a state of the machine."""

    def __init__(self, message: str, hint: str = "", *, fatal: bool = False) -> None:
        super().__init__(message, hint)
        self.fatal = fatal


class Damage(Exception):  # noqa: N818 (it says what was found, not that lastgood failed)
    """A file of the state is not what its name promises; the caller sets it aside or ignores it."""


class LaunchFailed(Exception):  # noqa: N818 (read as a sentence: the launch failed)
    """The tool could not be started. Nothing has run, so another way may be tried."""
