"""The ahead-of-time runtime: a graph is planned and written as C."""
