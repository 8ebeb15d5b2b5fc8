"""The sections of the page, one module each: from the merged board or the trials to plain values.

A section without data is None (or empty) and is left out, but for what was not verified and for the
environment with the declared meanings, which are always there.
"""
