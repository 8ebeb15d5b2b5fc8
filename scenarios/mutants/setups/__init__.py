"""Workers that are set up wrongly: read, never started."""
