"""What a person needs who must sign for a model's C: facts that tools found, each with the tool's version."""
