"""How many threads torch computes with."""

from contextlib import contextmanager

import torch


@contextmanager
def one_thread():
    """Let torch use one thread inside, in the calling thread, and as many as before afterwards.

    On tensors as small as the lab's a second thread gains a fifth of the time on an idle machine, and on a busy one
    the threads spend most of it waiting for each other.
    """
    # Asked first and not only to know: torch keeps the last number that any thread has set, and a thread that has
    # neither asked nor computed so far takes that one when it begins.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
