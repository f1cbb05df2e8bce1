"""`make bench`: what the package does against the plain way of doing it, measured alternately in one run."""
