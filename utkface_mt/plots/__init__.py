"""The style of all figures, and those that several notebooks or the docs show."""
