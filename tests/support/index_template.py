"""The process that test indexes are forked from: `python -m tests.support.index_template`, started by `index_process` alone.

Importing the server costs 70 ms, a fork of a process that has done so costs 2. The template serves nothing itself and never has
more than imported modules, so that is all that an index inherits, of the template or of another index.

Its standard input is a socket, on which the tests ask and it answers, in turn. When that ends the template ends; an index ends with
its own pipe, as ever.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket

from tests.support import index_server

LONGEST = 64  # bytes of a question or an answer


def main() -> None:
    """Answer until nobody is there to ask."""
    control = socket.socket(fileno=os.dup(0))
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, LONGEST, 2)
        if not message:
            return
        question, _, pid = message.decode().partition(" ")
        control.sendall(_start(control, descriptors) if question == "start" else _end(int(pid)))


def _start(control: socket.socket, descriptors: list[int]) -> bytes:
    """Make an index process that has two descriptors, for its standard input and output."""
    pid = os.fork()
    if not pid:
        control.close()  # an index that kept it would keep the template alive
        for standard, descriptor in enumerate(descriptors):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        _serve()
    for descriptor in descriptors:
        os.close(descriptor)  # the pipe of an index ends when its other end does
    return str(pid).encode()


def _serve() -> None:
    status = 1
    try:
        index_server.main()
        status = 0
    finally:
        os._exit(status)  # not back into the template


def _end(pid: int) -> bytes:
    """End an index process, and with it its ports and connections, before this is answered."""
    with contextlib.suppress(ChildProcessError):  # it has been ended before: the number may be another's
        if not os.waitpid(pid, os.WNOHANG)[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return b"ended"


if __name__ == "__main__":
    main()
