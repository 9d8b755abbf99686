"""Fixed-point arithmetic equal to the reference kernels', computed at generation time. See docs/NUMERICS.md."""
