"""The plan stage: `Graph`, `Target` → `Plan`."""

from mcugen.goals import GOALS, Goal
from mcugen.plan.planner import make_plan
from mcugen.plan.types import Buffer, Plan, Step
from mcugen.plan.verify import verify_plan

__all__ = ["GOALS", "Buffer", "Goal", "Plan", "Step", "make_plan", "verify_plan"]
