"""Finding the external programs that a run needs, and building those that can be built."""
