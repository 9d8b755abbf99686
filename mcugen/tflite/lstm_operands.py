"""Where the tensors of UNIDIRECTIONAL_SEQUENCE_LSTM stand among its inputs.

An LSTM without peepholes, projection and normalization, which is all that is run here, leaves the others out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
OPERANDS = 24
GATES: Mapping[str, int] = MappingProxyType({"input": 1, "forget": 2, "cell": 3, "output": 4})
"""Position of the weights of the input, by gate."""
TO_RECURRENT, TO_BIAS = 4, 11
"""From there to the weights of the hidden state, and to the bias."""
HIDDEN, CELL = 18, 19
ABSENT = (*range(9, 12), 16, 17, *range(20, 24))
