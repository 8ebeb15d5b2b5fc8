"""Replaying a folder of histories with a Python module, in differing surroundings."""
