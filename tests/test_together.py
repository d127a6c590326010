"""Work in processes of its own: a signal that arrives just as one is forked ends what it should, once, and leaves nobody behind.

The moment is made certain by hooks that the interpreter calls inside `fork` itself; they are functions in C, so that Python's own
handler runs only once `fork` has returned, as for a signal from outside.
"""

from __future__ import annotations

import signal
import sys

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

PROGRAM = """
import functools, os, signal
from lastgood import stopping, together

class Told(together.Watcher):
    def ended(self, index, result):
        print("ended", index, result, flush=True)

send = functools.partial(os.killpg, 0, signal.{name})
{hooks}
with stopping.Unwinding(signal.SIGINT):
    try:
        together.each([{work}], 1, Told())
    except BaseException:
        print("taken down", flush=True)
        raise
print("done", flush=True)
"""
signals = pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])


@signals
def test_a_signal_while_a_worker_is_forked_leaves_no_worker_behind(sandbox: Sandbox, name: str) -> None:
    """The caller is told to end before it knows of the worker that it is forking: it ends, and so does the worker."""
    program = PROGRAM.format(name=name, hooks="os.register_at_fork(before=send)", work="signal.pause")
    ended = sandbox.run([sys.executable, "-c", program], timeout=20)  # until nobody holds its output any more
    assert (ended.status, ended.out) == (-signal.Signals[name], "taken down\n")


@signals
def test_a_signal_to_a_worker_that_has_just_been_forked_stays_in_it(sandbox: Sandbox, name: str) -> None:
    """The worker ends before it has begun: nothing of the caller's own ways of ending happens in it, and the caller goes on."""
    hooks = "os.register_at_fork(after_in_child=os.setsid)\nos.register_at_fork(after_in_child=send)"  # nobody else hears it
    program = PROGRAM.format(name=name, hooks=hooks, work="lambda: 7")
    ended = sandbox.run([sys.executable, "-c", program])
    assert (ended.status, ended.out, ended.err) == (0, "ended 0 None\ndone\n", "")
