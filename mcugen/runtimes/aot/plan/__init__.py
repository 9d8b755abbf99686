"""The plan stage of the ahead-of-time runtime: `Graph`, `Target` → `Plan`."""

from mcugen.runtimes.aot.plan.planner import make_plan
from mcugen.runtimes.aot.plan.types import Buffer, Plan, Step
from mcugen.runtimes.aot.plan.verify import verify_plan

__all__ = ["Buffer", "Plan", "Step", "make_plan", "verify_plan"]
