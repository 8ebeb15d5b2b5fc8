"""The replay frontend: plays Temporal's frontend to an unmodified worker, in any language.

It serves recorded histories as workflow tasks and compares the commands that come back with the
events that the real run recorded. No cluster, and no access to the worker's code.
"""
