"""The processor's kernels, compiled by Numba when this is first imported and used, and kept on disk."""
