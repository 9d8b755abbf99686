"""Loops of float models: recurrent layers, which frameworks convert to WHILE.

A loop whose number of rounds is known runs in int8. An LSTM becomes the op that TensorFlow Lite has for it; what else
there is stays a loop, whose body is quantized as the graph around it. The ranges of a body's tensors are those of all
rounds, observed on the model with its loops unrolled.
"""
