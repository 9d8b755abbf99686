"""Boards: one TOML file each, read into a frozen `Board`."""
