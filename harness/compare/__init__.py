"""Comparing builds by whole load runs: each run is one observation, its requests are not.

The requests of one run share whatever the machine did meanwhile. Measured on one and the same
build, tests over requests cried wolf in 44 to 68 of 100 comparisons; over runs in 3 to 4.
"""
