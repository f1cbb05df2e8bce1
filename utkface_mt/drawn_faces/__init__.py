"""Cartoon faces with the labels of UTKFace, drawn from traits."""

from .face import appearance_targets, draw_face, nuisance_targets
from .sampling import sample_traits
from .traits import Traits

__all__ = ["Traits", "appearance_targets", "draw_face", "nuisance_targets", "sample_traits"]
