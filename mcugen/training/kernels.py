"""Forward and backward of every kind of layer in numpy, float32, each sum in the order that C takes it.

A sum starts at +0, so it never is −0, and products with the zeros of a padding leave it as it is: numpy may pad where C
leaves out. Gradients that are zero are left out in C, which for finite numbers gives the same bits.
Images are (height, width, channels).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.training.types import Activation, Window

Floats = NDArray[np.float32]
_ZERO = np.float32(0)


def dense_forward(x: Floats, weights: Floats, bias: Floats) -> Floats:
    """y[o] = (Σ_i x[i]·w[o, i]) + b[o], i ascending. weights (outputs, inputs)."""
    total = np.zeros(len(weights), np.float32)
    columns = np.ascontiguousarray(weights.T)
    for i in np.flatnonzero(x):
        total += x[i] * columns[i]
    made: Floats = total + bias
    return made


def dense_input_gradient(g: Floats, weights: Floats, dx: Floats) -> Floats:
    """dx[i] + Σ_o g[o]·w[o, i], o ascending."""
    total: Floats = dx.copy()
    for o in np.flatnonzero(g):
        total += g[o] * weights[o]
    return total


def dense_gradient(x: Floats, g: Floats, weights: Floats, bias: Floats) -> None:
    """Adds g[o]·x[i] to the gradient of the weights, and g to that of the biases, in place."""
    rows = np.flatnonzero(g)
    weights[rows] += g[rows, np.newaxis] * x
    bias += g


def conv_forward(x: Floats, weights: Floats, bias: Floats, window: Window) -> Floats:
    """y[p, o] = (Σ_ky,kx,c x·w) + b[o], in that order. weights (channels, filter height, width, input channels)."""
    padded = pad(x, window)
    total = np.zeros(window.output, np.float32)
    for ky, kx in _taps(window):
        image = _under(padded, window, ky, kx)
        for c in range(image.shape[2]):
            total += image[:, :, c, np.newaxis] * weights[:, ky, kx, c]
    return total + bias


def conv_input_gradient(g: Floats, weights: Floats, dx: Floats, window: Window) -> Floats:
    """dx with, by pixel, the products g·w of windows in ascending order added, and of channels within each."""
    padded = pad(dx, window)
    for ky, kx in reversed(_taps(window)):
        part = _under(padded, window, ky, kx)
        for o in range(len(weights)):
            part += g[:, :, o, np.newaxis] * weights[o, ky, kx]
    return unpad(padded, window)


def conv_gradient(x: Floats, g: Floats, weights: Floats, bias: Floats, window: Window) -> None:
    """Adds Σ g·x over windows in ascending order to the gradient of the weights, and Σ g to that of the biases."""
    padded = pad(x, window)
    for oy, ox in np.argwhere(g.any(axis=2)):
        weights += g[oy, ox][:, np.newaxis, np.newaxis, np.newaxis] * _patch(padded, window, oy, ox)
        bias += g[oy, ox]


def depthwise_forward(x: Floats, weights: Floats, bias: Floats, window: Window) -> Floats:
    """y[p, c] = (Σ_ky,kx x·w) + b[c]. weights (filter height, width, channels)."""
    padded = np.repeat(pad(x, window), _multiplier(window), axis=2)
    total = np.zeros(window.output, np.float32)
    for ky, kx in _taps(window):
        total += _under(padded, window, ky, kx) * weights[ky, kx]
    return total + bias


def depthwise_input_gradient(g: Floats, weights: Floats, dx: Floats, window: Window) -> Floats:
    """dx with, by pixel and channel, the products g·w of windows in ascending order added, of filters within each."""
    padded = pad(dx, window)
    times = _multiplier(window)
    for ky, kx in reversed(_taps(window)):
        part = _under(padded, window, ky, kx)
        for m in range(times):
            part += g[:, :, m::times] * weights[ky, kx, m::times]
    return unpad(padded, window)


def depthwise_gradient(x: Floats, g: Floats, weights: Floats, bias: Floats, window: Window) -> None:
    """Adds Σ g·x over windows in ascending order to the gradient of the weights, and Σ g to that of the biases."""
    padded = np.repeat(pad(x, window), _multiplier(window), axis=2)
    for oy, ox in np.argwhere(g.any(axis=2)):
        weights += _patch(padded, window, oy, ox) * g[oy, ox]
        bias += g[oy, ox]


def average_pool_forward(x: Floats, window: Window) -> Floats:
    """The mean of the pixels of the image under each window: their sum in ascending order, divided once."""
    padded = pad(x, window)
    total = np.zeros(window.output, np.float32)
    for ky, kx in _taps(window):
        total += _under(padded, window, ky, kx)
    return total / _counts(window)


def average_pool_backward(g: Floats, dx: Floats, window: Window) -> Floats:
    """dx with g / count added to every pixel of every window, windows in ascending order."""
    padded, part = pad(dx, window), g / _counts(window)
    for ky, kx in reversed(_taps(window)):
        view = _under(padded, window, ky, kx)
        view += part
    return unpad(padded, window)


def max_pool_forward(x: Floats, window: Window) -> Floats:
    """The largest pixel under each window; of equal ones the first."""
    padded = pad(x, window, -np.inf)
    best = np.full(window.output, -np.inf, np.float32)
    for ky, kx in _taps(window):
        image = _under(padded, window, ky, kx)
        best = np.where(image > best, image, best)
    return best


def max_pool_backward(x: Floats, y: Floats, g: Floats, dx: Floats, window: Window) -> Floats:
    """dx with g added to the first pixel of each window that is its maximum, windows in ascending order."""
    image, padded = pad(x, window, -np.inf), pad(dx, window)
    taps = _taps(window)
    winner = np.full(window.output, -1)
    for number, (ky, kx) in enumerate(taps):
        winner = np.where((winner < 0) & (_under(image, window, ky, kx) == y), number, winner)
    for number, (ky, kx) in reversed(list(enumerate(taps))):
        view = _under(padded, window, ky, kx)
        view += np.where(winner == number, g, _ZERO)
    return unpad(padded, window)


def activate(y: Floats, activation: Activation) -> Floats:
    """ReLU and ReLU6; −0 becomes +0."""
    if activation == "none":
        return y
    y = np.where(y > 0, y, _ZERO)
    return np.where(y < 6, y, np.float32(6)) if activation == "relu6" else y


def activation_gradient(y: Floats, g: Floats, activation: Activation) -> Floats:
    """g where the activation let its input through, by its output y."""
    if activation == "none":
        return g
    through = y > 0
    if activation == "relu6":
        through &= y < 6
    return np.where(through, g, _ZERO)


def pad(x: Floats, window: Window, value: float = 0.0) -> Floats:
    """A copy of an image with a border as wide as windows reach."""
    height, width, channels = window.input
    rows = max(height + window.pad[0], (window.output[0] - 1) * window.stride[0] + window.filter[0])
    columns = max(width + window.pad[1], (window.output[1] - 1) * window.stride[1] + window.filter[1])
    padded = np.full((rows, columns, channels), value, np.float32)
    padded[window.pad[0] : window.pad[0] + height, window.pad[1] : window.pad[1] + width] = x
    return padded


def unpad(padded: Floats, window: Window) -> Floats:
    height, width, _ = window.input
    return padded[window.pad[0] : window.pad[0] + height, window.pad[1] : window.pad[1] + width]


def _taps(window: Window) -> list[tuple[int, int]]:
    return [(ky, kx) for ky in range(window.filter[0]) for kx in range(window.filter[1])]


def _under(padded: Floats, window: Window, ky: int, kx: int) -> Floats:
    """The pixel of every window under one tap, (height, width, channels) of the output's size; a view."""
    (height, width, _), (down, right) = window.output, window.stride
    return padded[ky : ky + (height - 1) * down + 1 : down, kx : kx + (width - 1) * right + 1 : right]


def _patch(padded: Floats, window: Window, oy: int, ox: int) -> Floats:
    y, x = oy * window.stride[0], ox * window.stride[1]
    return padded[y : y + window.filter[0], x : x + window.filter[1]]


def _multiplier(window: Window) -> int:
    return window.output[2] // window.input[2]


def _counts(window: Window) -> Floats:
    """Pixels of the image under every window, (height, width, 1)."""
    ones = pad(np.ones(window.input, np.float32), window)
    total = np.zeros(window.output, np.float32)
    for ky, kx in _taps(window):
        total += _under(ones, window, ky, kx)
    return total[:, :, :1]
