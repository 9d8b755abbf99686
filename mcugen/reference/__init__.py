"""A second reference: what TensorFlow Lite Micro computes, in plain numpy.

It shares no arithmetic with the kernels nor with what prepares their constants (`mcugen/numerics`, `mcugen/ops`), so
that two independent witnesses stand beside each other. Tests prove it equal to `tflite-micro` over the conformance
suite.
"""

from mcugen.reference.interpreter import NumpyReference as NumpyReference
from mcugen.reference.interpreter import supported as supported
