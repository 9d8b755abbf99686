"""Attacks with seeds: a short run of each in `make test`, long ones by `make fuzz`."""
