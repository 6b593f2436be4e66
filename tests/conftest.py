"""What all tests share: property tests may take their time, and training takes one thread."""

import signal

import pytest
import torch
from hypothesis import settings

# A busy machine is not a wrong one.
settings.register_profile("gradlab", deadline=None, max_examples=60)
settings.load_profile("gradlab")

# On tensors this small a second thread gains a fifth on an idle machine and loses everything on a busy one.
torch.set_num_threads(1)


@pytest.fixture
def interruptible():
    """Interrupts are heard, also where the tests run in the background of a shell, which ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
