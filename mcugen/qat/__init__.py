"""Quantization-aware training with Keras 3: a model learns to live with int8, and brings its ranges along.

    import mcugen.qat

    aware = mcugen.qat.quantize_aware(model)
    aware.compile("adam", "sparse_categorical_crossentropy")
    aware.fit(x, y, epochs=5)
    aware.save("aware.keras")     # mcugen deploy aware.keras --data samples.npz --board …

Needs Keras 3 with TensorFlow (`pip install 'mcugen[tf]'`); importing this package alone does not.
"""

from mcugen.qat.aware import quantize_aware

__all__ = ["quantize_aware"]
