"""The load generator: planned arrivals, raw samples, and the process that drives them.

`plan`, `samples`, `settings` and `workload` are plain values; `engine` is the open loop; `driver`
alone knows the Temporal SDK, `locusts` alone knows Locust. This package imports nothing, so that
the format of the samples can be read without any of them.
"""
