"""Kernels are written for Numba. Whether it simulates CUDA is settled by who imports it first: here, if no one has."""

import os
import sys

import torch

if not torch.cuda.is_available() and "numba" not in sys.modules:
    os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")  # the exercises need neither, the kernels' own tests do
