"""The runtimes, sisters behind one `Program`: neither knows the other."""
