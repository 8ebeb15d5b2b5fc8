"""Figures that have a bound: `python -m tests.benchmarks` (`make bench`)."""
