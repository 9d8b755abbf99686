"""The tune stage: searches the choices of quantization for the best model that a board has room for."""

from mcugen.tune.judge import Judge
from mcugen.tune.search import TRIALS, search
from mcugen.tune.types import Budget, Cost, Found, Trial

__all__ = ["TRIALS", "Budget", "Cost", "Found", "Judge", "Trial", "search"]
