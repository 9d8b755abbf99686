"""Learning on the device: the trainable end of a model in float32, its numpy reference, its arena, its C."""
