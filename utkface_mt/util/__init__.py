"""What everything else stands on: files, locks, errors, the runtime. Knows nothing of faces."""
