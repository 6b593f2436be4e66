"""What all tests share: property tests may take their time, and training takes one thread."""

import torch
from hypothesis import settings

# A busy machine is not a wrong one.
settings.register_profile("gradlab", deadline=None, max_examples=60)
settings.load_profile("gradlab")

# On tensors this small a second thread gains a fifth on an idle machine and loses everything on a busy one.
torch.set_num_threads(1)
