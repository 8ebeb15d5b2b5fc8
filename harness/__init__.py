"""Conformance, load and chaos test harness for a Temporal-based multi-tenant platform."""

__version__ = "0.1.0"
