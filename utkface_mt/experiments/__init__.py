"""Running experiments: the rows of the ladder, what they gave, and what was measured on UTKFace."""
