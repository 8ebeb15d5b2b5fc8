"""Running a trial: from a request to a sealed folder. The supervisor's side of everything."""
