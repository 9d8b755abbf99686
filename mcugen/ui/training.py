"""How `verify` and `deploy` show what a device learned."""

from __future__ import annotations

from mcugen.flow.proof import Proof
from mcugen.text import number, size


def training_rows(proof: Proof) -> list[tuple[str, str]]:
    """What learning takes, and what it led to; nothing where no layer learns."""
    head = proof.ready.model.head
    if head is None:
        return []
    net = head.net
    layers = ", ".join(net.names)
    settings = net.settings
    how = f"{net.loss} loss, rate {settings.rate:g}"
    how += ", Adam" if settings.optimizer == "adam" else ""
    how += f", momentum {settings.momentum:g}" if settings.momentum else ""
    how += f", batches of {settings.batch}" if settings.batch > 1 else ""
    rows = [("learns", f"{layers}: {number(net.parameters)} parameters, {how}")]
    rows.append(("", f"{size(proof.plan.train_bytes)} of the RAM, beside the stack"))
    found = proof.training
    if found is None:
        return rows
    rows.append(("step", f"{number(found.cost)} {found.unit} per training step, {number(found.stack)} B of stack"))
    first, last = found.loss
    moved = f"loss {first:.4g} at first, {last:.4g} at last"
    if found.accuracy is not None:
        before, after = found.accuracy
        moved += f"; accuracy on {number(found.judged)} other samples {before:.2%} before, {after:.2%} after"
    rows.append(("", moved))
    return rows


def training_text(proof: Proof) -> str:
    """The verdict on learning in one line."""
    found = proof.training
    assert found is not None
    place = f"on {proof.board.name}" + (" (emulated)" if proof.emulated else "")
    steps = f"{found.equal}/{found.steps} training steps {place} gave the reference's loss and parameters"
    if found.passed:
        return f"learns bit for bit: {steps}, with samples of {found.origin}"
    return f"does not learn as the reference: {steps}; {found.first}"
