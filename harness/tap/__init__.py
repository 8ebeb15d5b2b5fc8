"""The tap: a process between a worker (or starter) and the engine that breaks single calls.

It knows method names and forwards raw bytes, so that it fits every SDK and every server.
"""
