"""Faces in any photo: reading it, finding the faces, cutting them like UTKFace's crops, and what the model says."""
