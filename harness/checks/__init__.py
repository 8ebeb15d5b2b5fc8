"""The checks: pure functions from a journal to a verdict, listed in `table.py`."""
