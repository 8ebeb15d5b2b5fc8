"""Replaying recorded histories in process, for workflow code in Python."""
