"""mcugen: from a trained model to proven bare-metal firmware."""

__version__ = "0.1.0"
