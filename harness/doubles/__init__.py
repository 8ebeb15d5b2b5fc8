"""The instruments: PDP, services and audit sink, in one process, with one sequence of events.

Run as `python -m harness.doubles --journal DIR --trial ID`.
"""
