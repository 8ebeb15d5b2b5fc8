"""Fault schedules, and what runs under them."""

SUITES = ("scenarios.chaos.test_chaos",)
