"""Single layers of each framework, taken through int8, int16 and float32: what docs/LAYERS.md says comes from here."""
