"""Cartoon faces with the labels of UTKFace, drawn from traits."""

from .face import NUISANCE_NAMES, Traits, draw_face, nuisance_targets, sample_traits

__all__ = ["NUISANCE_NAMES", "Traits", "draw_face", "nuisance_targets", "sample_traits"]
