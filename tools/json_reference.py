def document() -> str:
    return "# JSON schemas\n"
