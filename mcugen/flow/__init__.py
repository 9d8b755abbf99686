"""What verbs share: a model or a project taken as far through the stages as a verb needs."""
