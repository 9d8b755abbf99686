"""What a person sees on the terminal. Nothing here decides anything; numbers come from the verbs."""
