"""The sweep: many models on many boards, each pair verified in a process of its own."""
