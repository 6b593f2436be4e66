"""The GPU's kernels, for Numba's CUDA target and, from the same source, for its simulator. Imported on first use."""
