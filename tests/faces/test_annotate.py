"""Labels stay inside the picture, and copies never replace photos."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utkface_mt.faces.annotate import annotate, copy_places, write_annotated
from utkface_mt.util.errors import UserError


def _rows(box: tuple[float, float, float, float]) -> list[dict]:
    answer = {"face": 1, "age": 34.2, "age_low": 22.0, "age_high": 46.0, "gender": "Male", "probability_female": 0.03}
    return [answer | dict(zip(("left", "top", "right", "bottom"), box, strict=True))]


def test_labels_stay_inside_the_picture():
    photo = Image.new("RGB", (300, 200), "white")
    for box in ((-20, -10, 60, 60), (250, 150, 299, 199), (0, 0, 299, 199)):
        drawn = np.asarray(annotate(photo, _rows(box)))
        assert (drawn != 255).any()
        assert np.array_equal(drawn, np.asarray(annotate(photo, pd.DataFrame(_rows(box)))))
    halved = np.asarray(annotate(photo, _rows((100, 100, 200, 200)), scale=0.5))
    assert (halved[75, 50] != 255).any()  # the left edge of the box
    nothing = annotate(photo, [{**_rows((0, 0, 50, 50))[0], "face": 0}])
    assert np.array_equal(np.asarray(nothing), np.asarray(photo))


def test_copies_lie_below_their_folder_wherever_the_photos_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "here" / "deep").mkdir(parents=True)
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    files = [Path("deep/one.jpg"), Path("../there/two.jpg"), Path("../three.jpg")]
    copies = copy_places(files, [Path("."), Path("../there"), Path("../three.jpg")], Path("out"))
    assert [path.as_posix() for path in copies.values()] == ["out/deep/one.jpg", "out/two.jpg", "out/three.jpg"]


def test_copies_never_replace_photos(tmp_path: Path):
    photo = Image.new("RGB", (300, 200), "white")
    (tmp_path / "album").mkdir()
    file = tmp_path / "album" / "photo.webp"
    photo.save(file)
    out = tmp_path / "out"
    assert copy_places([file], [tmp_path], out) == {file: out / "album" / "photo.webp.png"}
    photo.save(tmp_path / "photo.png")
    photo.save(tmp_path / "album" / "photo.png")
    names = [tmp_path / "photo.png", tmp_path / "album" / "photo.png"]  # of one name, and given one by one
    copies = copy_places(names, names, out)
    assert list(copies.values()) == [out / "photo.png", out / "photo-2.png"]
    write_annotated(names[0], _rows((10, 10, 50, 50)), copies[names[0]])
    exif = Image.Exif()
    exif[0x010F] = "secret"
    photo.save(tmp_path / "told.jpg", exif=exif, comment=b"secret", xmp=b"<secret/>")
    write_annotated(tmp_path / "told.jpg", [], out / "told.jpg")
    assert b"secret" not in (out / "told.jpg").read_bytes()
    assert copy_places(names, names, out) == copies  # of an earlier call, which was interrupted: none takes another's
    photo.save(tmp_path / "grey.png", icc_profile=b"of a grey picture")
    write_annotated(tmp_path / "grey.png", [], out / "grey.png")
    assert "icc_profile" not in Image.open(out / "grey.png").info
    for folder in (tmp_path, tmp_path / "album"):  # its own place; that of another photo
        with pytest.raises(UserError, match="another folder"):
            copy_places([tmp_path / "photo.png"], [tmp_path], folder)
