"""What suites do besides sagas: raw calls on the engine. Imported by the drive alone."""
