"""Pictures of noise as a dataset would hold them, and datasets of a good face and another."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NAME = "30_1_2_20170116174525125.jpg.chip.jpg"
GOOD = "31_0_3_20170116174525126.jpg.chip.jpg"


def picture_bytes(
    seed: int = 0, size: tuple[int, int] = (200, 200), mode: str = "RGB", form: str = "JPEG", **options
) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize(size).convert(mode).save(stream, form, **options)
    return stream.getvalue()


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """Makes the bytes of a picture: `picture(seed, size, mode, form, **options)`."""
    return picture_bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of one good face."""
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / GOOD).write_bytes(picture_bytes(1))
    return tmp_path / "faces"
