"""Age and gender from UTKFace faces with one MobileNetV2: the package behind the notebooks."""

__version__ = "0.1.0"
