"""The `.tflite` format: its schema, and the one check of a hostile file."""
