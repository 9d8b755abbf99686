"""Where a training network's tensors lie: activations that wait for the backward pass, and gradients."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from mcugen.training.types import Net, Node

_ALIGNMENT = 2
"""In floats: 8 bytes, as for pairs of loads."""


@dataclass(frozen=True)
class Block:
    """Memory of the arena. In floats, and in moments: n nodes run forward at 0 … n−1, the loss is at n, and node k
    runs backward at 2n − k. Alive from `first` to `last`."""

    name: str
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class TrainPlan:
    """RAM of training. All in floats.

    Attributes:
        values, gradients: offset in the arena of a tensor's values and gradient.
        outputs: offset in the arena of what the user sees of the output: probabilities.
        parameter_gradients: offset in the arena of a node's parameter gradients, by its position; empty where they
            are kept for a batch.
        arena: size of the arena.
        kept: parameters, what the optimizer keeps, and the gradients of a batch.
    """

    values: dict[int, int]
    gradients: dict[int, int]
    outputs: int
    parameter_gradients: dict[int, int]
    arena: int
    kept: int
    other_bytes: int
    blocks: tuple[tuple[Block, int], ...]

    @property
    def ram_bytes(self) -> int:
        """RAM of a training step beside the body's arena and the stack."""
        return 4 * (self.arena + self.kept) + self.other_bytes


_OTHER_BYTES = 8
"""The learning rate, and samples of a batch."""
_ADAM_BYTES = 12
"""Powers of its betas, and the rate of a step."""


def needs_values(node: Node) -> tuple[int, ...]:
    """Tensors whose values its backward pass reads."""
    found = [node.inputs[0]] if node.parameters or node.kind == "max_pool" else []
    if node.activation != "none" or node.kind == "max_pool":
        found.append(node.output)
    return tuple(found)


def make_train_plan(net: Net) -> TrainPlan:
    """Lifetimes and a layout. Blocks go, largest first, to the lowest place that is free for their lifetime."""
    blocks = _blocks(net)
    placed: list[tuple[Block, int]] = []
    for block in sorted(blocks, key=lambda b: (-b.size, b.first, b.name)):
        offset = 0
        for other, at in sorted(placed, key=lambda item: item[1]):
            alive_together = other.first <= block.last and block.first <= other.last
            if alive_together and at < offset + block.size and offset < at + other.size:
                offset = _aligned(at + other.size)
        placed.append((block, offset))
    offsets = {block.name: offset for block, offset in placed}

    def named(letter: str) -> dict[int, int]:
        return {int(name[1:]): offset for name, offset in offsets.items() if name[0] == letter}

    arena = max((offset + block.size for block, offset in placed), default=0)
    copies = 1 + net.settings.states + (net.settings.batch > 1)
    others = _OTHER_BYTES + _ADAM_BYTES * (net.settings.optimizer == "adam")
    plan = TrainPlan(
        named("v"),
        named("g"),
        offsets["o0"],
        named("p"),
        _aligned(arena),
        copies * net.parameters,
        others,
        tuple(placed),
    )
    verify_train_plan(plan)
    return plan


def _blocks(net: Net) -> list[Block]:
    n = len(net.nodes)
    made = {node.output: position for position, node in enumerate(net.nodes)}
    first_use: dict[int, int] = {net.output: 0}  # it holds the targets until the loss makes a gradient of them
    last_value = dict.fromkeys(range(len(net.sizes)), 0)
    for position, node in enumerate(net.nodes):
        for i in node.inputs:
            last_value[i] = max(last_value[i], position)
            first_use[i] = min(first_use.get(i, 2 * n), 2 * n - position)
        for i in needs_values(node):
            last_value[i] = max(last_value[i], 2 * n - position)
    last_value[net.output] = 2 * n  # whoever called may read it
    blocks = [Block(f"v{i}", size, made.get(i, 0), last_value[i]) for i, size in enumerate(net.sizes)]
    blocks.append(Block("o0", net.outputs, n, 2 * n))
    blocks += [Block(f"g{i}", net.sizes[i], first_use[i], 2 * n - made[i]) for i in made]
    if net.settings.batch == 1:
        blocks += [
            Block(f"p{position}", node.parameters, 2 * n - position, 2 * n - position)
            for position, node in enumerate(net.nodes)
            if node.parameters
        ]
    return blocks


def verify_train_plan(plan: TrainPlan) -> None:
    """No two blocks share memory while both are alive: found moment by moment, float by float."""
    moments = range(max((block.last for block, _ in plan.blocks), default=0) + 1)
    for moment in moments:
        alive = sorted(
            (at, at + block.size, block.name) for block, at in plan.blocks if block.first <= moment <= block.last
        )
        for (_, end, name), (start, _, other) in pairwise(alive):
            if start < end:
                raise AssertionError(f"{name} and {other} share memory at {moment}")


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNMENT) * _ALIGNMENT
