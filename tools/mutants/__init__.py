"""Mutation testing: small faults put into a module on purpose, which its tests have to notice."""
