"""The append-only record of one trial."""
