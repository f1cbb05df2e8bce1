"""A public-domain photograph, a folder such as people have, and the bundled model."""

from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from utkface_mt.drawn_faces.photo import WALL, drawn_photo
from utkface_mt.faces.model import FaceModel, load_model


@pytest.fixture(scope="session")
def astronaut() -> Image.Image:
    """Eileen Collins, photographed by NASA: 512 x 512 pixels, one face."""
    from skimage.data import astronaut

    return Image.fromarray(astronaut())


@pytest.fixture(scope="session")
def model() -> FaceModel:
    return load_model()


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Turned, huge, from a phone, misnamed, tilted, empty, broken, and one that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    three = drawn_photo(3, (1200, 800))
    three.save(folder / "three.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter clockwise
    three.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif)
    pillow_heif.from_pillow(three).save(folder / "phone.heic")
    (folder / "phone.jpg").write_bytes((folder / "phone.heic").read_bytes())
    drawn_photo(1, (400, 400)).rotate(25, fillcolor=WALL).save(folder / "tilted.png")
    drawn_photo(2, (9000, 6000), 1500).save(folder / "huge.jpg", quality=60)
    Image.new("RGB", (300, 300), "navy").save(folder / "wall.png")
    Image.new("RGB", (3, 3)).save(folder / "tiny.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("no picture")
    return folder
