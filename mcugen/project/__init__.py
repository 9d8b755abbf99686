"""A project's folder: its files, its manifest, and what boards and tools add to it."""
