"""What uv says on standard error: kept for judging, and passed on to the user as it comes.

uv's progress must look as it does under uvx; its error must not appear before lastgood knows whether something stands in for it. So
bytes are passed on until a line starts an error, and from there on they are held. Warnings are held one by one: where uvx
itself has to say the error, it says them again.
"""

from lastgood import messages

_STARTS = ("error", "×")
_WARNINGS = ("warning",)
_MORE = ("cause:", "Caused by:")  # how the lines of a warning go on
_FETCHING = ("Downloading ", "Building ")  # said when the index has answered, of what takes a while
_INTERPRETERS = ("cpython-", "pypy-", "graalpy-", "pyodide-")  # these come from elsewhere, before an index is asked
_KEPT = 262144


class Tee:
    """Collects what uv writes; with `shown`, also passes progress on to descriptor 2."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._all = bytearray()
        self._undecided = bytearray()  # the beginning of a line that may become an error
        self._within = False  # the rest of a line whose beginning was passed on
        self._held: bytearray | None = None
        self._warning = False  # the current line belongs to a warning
        self.warnings = bytearray()
        """What uv warned of, not passed on."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._all += data
        del self._all[:-_KEPT]
        if self._held is not None:
            self._held += data
        elif self._shown:
            for piece in data.splitlines(keepends=True):
                self._pass_on(piece)

    def _pass_on(self, piece: bytes) -> None:
        if self._held is not None:
            self._held += piece
            return
        whole = piece.endswith((b"\n", b"\r"))
        if not self._within:
            self._undecided += piece
            words = plain(bytes(self._undecided)).lstrip()
            if words.startswith(_STARTS):
                self._held, self._undecided = self._undecided, bytearray()
                return
            if not whole and any(start.startswith(words) for start in (*_STARTS, *_WARNINGS, *_MORE)):
                return
            piece, self._undecided = bytes(self._undecided), bytearray()
            self._warning = words.startswith(_WARNINGS) or (self._warning and words.startswith(_MORE))
        if self._warning:
            self.warnings += piece
        else:
            messages.write_all(2, piece)
        self._within = not whole

    @property
    def fetching(self) -> bool:
        """Whether uv has begun to fetch or to build a package: the index has answered."""
        lines = [line.lstrip() for line in self.text.splitlines()]
        return any(line.startswith(_FETCHING) and not line.partition(" ")[2].startswith(_INTERPRETERS) for line in lines)

    def finish(self) -> None:
        """Pass on what was undecided: nothing follows."""
        messages.write_all(2, bytes(self._undecided))
        self._undecided.clear()

    @property
    def text(self) -> str:
        """Everything so far, without escapes."""
        return plain(bytes(self._all))

    @property
    def raw(self) -> bytes:
        """Everything so far, as uv wrote it."""
        return bytes(self._all)

    @property
    def withheld(self) -> bytes:
        """What the user has not seen: the warnings and the error."""
        if not self._shown:
            return bytes(self._all)
        return bytes(self.warnings + (self._held if self._held is not None else b""))


def plain(data: bytes) -> str:
    """Text without ANSI escapes."""
    text = data.decode("utf-8", "replace")
    out = []
    for index, part in enumerate(text.split("\033")):
        if index == 0:
            out.append(part)
        elif part.startswith("["):
            end = 1
            while end < len(part) and not ("@" <= part[end] <= "~"):
                end += 1
            out.append(part[end + 1 :])
        else:
            out.append(part[1:])
    return "".join(out)
