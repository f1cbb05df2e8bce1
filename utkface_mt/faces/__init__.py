"""Faces in any photo: reading it, finding and cutting the faces, what the bundled model says, and exporting it."""
