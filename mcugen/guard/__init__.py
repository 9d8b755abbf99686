"""What stands between models of strangers and the frameworks that load them: checks of content, and a confined process.

Imports nothing but the standard library before it confines: threads that run already would stay free.
"""
