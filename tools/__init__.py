"""For maintainers: measuring, collecting and publishing. `python -m tools.NAME`, behind targets of the Makefile."""
