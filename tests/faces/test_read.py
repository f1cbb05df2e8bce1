"""Pictures are read upright and in their true colours whatever their file is like."""

import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utkface_mt.drawn_faces.photo import drawn_photo
from utkface_mt.faces.annotate import write_annotated
from utkface_mt.faces.detect import find_faces
from utkface_mt.faces.model import FaceModel
from utkface_mt.faces.read import LONGEST_SIDE, is_picture, list_photos, read_photo
from utkface_mt.util.errors import UserError


def test_photos_are_read_upright_in_rgb_and_not_larger_than_needed(photos: Path):
    three = np.asarray(drawn_photo(3, (1200, 800)), float)
    for name in ("three.jpg", "turned.jpg", "phone.heic", "phone.jpg"):
        picture = read_photo(photos / name)
        assert (picture.mode, picture.size, picture.info["full_size"]) == ("RGB", (1200, 800), (1200, 800))
        assert np.abs(np.asarray(picture, float) - three).mean() < 4, name
    huge = read_photo(str(photos / "huge.jpg"))
    assert max(huge.size) <= LONGEST_SIDE
    assert huge.info["full_size"] == (9000, 6000)


def test_the_same_face_in_every_mode_gives_the_same_age(astronaut: Image.Image, model: FaceModel, tmp_path: Path):
    grey = np.asarray(astronaut.convert("L"))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    saved = {
        **{"rgb.png": astronaut, "rgba.png": astronaut.convert("RGBA"), "cmyk.tif": astronaut.convert("CMYK")},
        **{"grey.png": Image.fromarray(grey), "la.png": astronaut.convert("LA"), "deep.png": deep, "deep.tif": deep},
        "whole.tif": Image.fromarray(grey.astype(np.int32) * 257),
        "fraction.tif": Image.fromarray(grey.astype(np.float32) / 255),
    }
    ages = _ages(saved, tmp_path, model)
    assert max(ages.values()) - min(ages.values()) < 1.5, ages


def test_a_face_in_few_colours_is_seen_in_tones(astronaut: Image.Image, model: FaceModel, tmp_path: Path):
    clear = astronaut.quantize(256)
    clear.info["transparency"] = 0
    saved = {"rgb.png": astronaut, "few.png": astronaut.quantize(64), "own.gif": astronaut.quantize(256)}
    saved |= {"clear.png": clear, "web.png": astronaut.convert("P")}  # as they are, 3 to 15 years off
    whole, *others = _ages(saved, tmp_path, model).values()
    assert np.abs(np.subtract(others, whole)).max() < 2, others


def _ages(saved: dict[str, Image.Image], folder: Path, model: FaceModel) -> dict[str, float]:
    """The age of the one face in each picture, once it was saved under its name."""
    ages = {}
    for name, picture in saved.items():
        picture.save(folder / name)
        (face,) = find_faces(read_photo(folder / name))
        ages[name] = model.answers([face.crop])[0].age
    return ages


GREY = np.arange(0, 250, dtype=np.uint8).reshape(10, 25)
DEEP = {
    "deep.png": Image.fromarray(GREY.astype(np.uint16) * 257),
    "deep.tif": Image.fromarray(GREY.astype(np.uint16) * 257),
    "whole.tif": Image.fromarray(GREY.astype(np.int32) * 257),
    "share.tif": Image.fromarray(GREY.astype(np.float32) / 255),
    "float.tif": Image.fromarray(GREY.astype(np.float32)),
    "alpha.png": Image.fromarray(GREY).convert("LA"),
    "palette.png": Image.fromarray(GREY).convert("P"),
    "ink.tif": Image.fromarray(GREY).convert("RGB").convert("CMYK"),
    "luma.tif": Image.fromarray(GREY).convert("RGB").convert("YCbCr"),
}


@pytest.mark.parametrize("name", DEEP)
def test_every_depth_and_mode_shows_the_same_picture(name: str, tmp_path: Path):
    DEEP[name].save(tmp_path / name)
    assert np.abs(np.asarray(read_photo(tmp_path / name), int) - GREY[:, :, None]).max() <= 1


def test_black_and_white_dots_are_the_tones_again_that_they_stand_for(tmp_path: Path):
    tones = np.tile(np.linspace(0, 255, 120).astype(np.uint8), (60, 1))
    Image.fromarray(tones).convert("1").save(tmp_path / "two.png")
    picture = read_photo(tmp_path / "two.png")
    assert picture.info["few_colours"]
    read = np.asarray(picture, float)[:, :, 0]
    assert read[:, :3].mean() < 20
    assert read[:, -3:].mean() > 235
    assert (
        np.abs(read - tones).mean() < 15 < np.abs(np.asarray(Image.fromarray(tones).convert("1")) * 255 - tones).mean()
    )


def test_black_and_white_areas_stay_so(tmp_path: Path):
    halves = np.tile(np.arange(60) >= 30, (60, 1))
    Image.fromarray(halves).save(tmp_path / "two.png")
    read = np.asarray(read_photo(tmp_path / "two.png"))[:, :, 0]
    away = np.abs(np.arange(60) - 29.5) > 4  # pixels of the edge, which is blurred
    assert np.array_equal(read[:, away], (halves * np.uint8(255))[:, away])


def test_what_is_transparent_is_white(tmp_path: Path):
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    clear.convert("LA").save(tmp_path / "grey.png")
    Image.new("1", (20, 20), 0).save(tmp_path / "dots.png", transparency=0)
    Image.new("P", (20, 20)).save(tmp_path / "palette.gif", transparency=0)
    for name in ("clear.png", "grey.png", "dots.png", "palette.gif"):
        assert read_photo(tmp_path / name).getpixel((5, 5)) == (255, 255, 255), name


def _with_tag(path: Path, tag: int, value: int) -> Path:
    """Changes a tag of a TIFF file to what Pillow reads but does not write."""
    data = bytearray(path.read_bytes())
    place = data.index(struct.pack("<HHI", tag, 3, 1)) + 8
    data[place : place + 2] = struct.pack("<H", value)
    path.write_bytes(data)
    return path


def test_tiff_files_of_other_programs_show_the_same_picture(tmp_path: Path):
    for kind, dtype, top in (("deep", np.uint16, 65_535), ("share", np.float32, 1)):
        inverted = (top - GREY.astype(float) * top / 255).astype(dtype)
        Image.fromarray(inverted).save(tmp_path / f"{kind}.tif")
        read = np.asarray(read_photo(_with_tag(tmp_path / f"{kind}.tif", 262, 0)), int)  # nought is white
        assert np.abs(read - GREY[:, :, None]).max() <= 1, kind
    whole = (GREY.astype(np.uint32) * 16_843_009).view(np.int32)
    Image.fromarray(whole).save(tmp_path / "whole.tif")
    read = np.asarray(read_photo(_with_tag(tmp_path / "whole.tif", 339, 1)), int)  # no sign
    assert np.abs(read[:, :, 0] - GREY * (255 / 249)).max() <= 1
    thin = Image.merge("RGBA", [Image.fromarray(GREY // 2)] * 3 + [Image.fromarray(GREY)])
    for name, picture in (
        ("thin.tif", thin),
        ("grey.tif", Image.merge("LA", (thin.getchannel(0), thin.getchannel(3)))),
    ):
        picture.save(tmp_path / name)
        read = np.asarray(read_photo(_with_tag(tmp_path / name, 338, 1)), int)  # colours times opacity
        assert np.abs(read[:, :, 0] - (GREY // 2 + 255 - GREY)).max() <= 2, name


def test_what_cannot_be_read_is_told_why(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "cut.jpg").write_bytes((photos / "three.jpg").read_bytes()[:2000])
    (tmp_path / "cut.heic").write_bytes((photos / "phone.heic").read_bytes()[:400])
    drawn_photo().save(tmp_path / "damaged.avif")
    damaged = bytearray((tmp_path / "damaged.avif").read_bytes())
    damaged[-300:-100] = bytes(200)
    (tmp_path / "damaged.avif").write_bytes(damaged)
    (tmp_path / "program.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    Image.fromarray(GREY.astype(np.float32) / 127.5 - 1).save(tmp_path / "below.tif")
    cases = {
        tmp_path / "below.tif": "numbers below nought",
        photos / "broken.jpg": "no picture of a kind that can be read",
        photos / "empty.png": "the file is empty",
        tmp_path / "pipe.jpg": "it is no file",
        tmp_path / "cut.jpg": "truncated",
        tmp_path / "cut.heic": "cannot be read|no picture|Invalid|invalid",
        tmp_path / "damaged.avif": "Failed to decode",
        tmp_path / "program.jpg": "no picture of a kind that can be read",
        tmp_path / "none.jpg": "No such file",
    }
    for path, reason in cases.items():
        with pytest.raises(UserError, match=f"{path.name}: .*({reason})"):
            read_photo(path)
    Image.new("RGBA", (9000, 9000)).save(tmp_path / "wide.png", compress_level=1)
    with pytest.raises(UserError, match="it has 81 million pixels"):
        read_photo(tmp_path / "wide.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match="too many pixels"):
        read_photo(photos / "three.jpg")


@pytest.mark.slow
def test_two_thousand_broken_pictures_of_all_kinds_neither_crash_nor_hang_nor_fill_the_memory():
    code = (
        "import sys; from tests.faces.fuzz_readers import main; main(0, 2000)\n"
        "sys.platform == 'linux' and print(*(line for line in open('/proc/self/status') if 'VmHWM' in line))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-10:] + done.stderr[-500:]
    assert "Warning" not in done.stderr
    if sys.platform == "linux":
        assert int(done.stdout.split("VmHWM:")[1].split()[0]) < 2_000_000  # kB


def test_pictures_in_a_folder_are_told_by_their_content_and_links_are_followed_once(photos: Path, tmp_path: Path):
    skipped: list[Path] = []
    found = list_photos(photos, skipped=skipped)
    assert [path.name for path in found] == sorted({path.name for path in photos.iterdir()} - {"notes.txt"})
    assert skipped == [photos / "notes.txt"]
    (tmp_path / "album").mkdir()
    picture = (photos / "wall.png").read_bytes()
    for name in ("IMG_1.JPG_large", "no suffix", ".hidden.png"):
        (tmp_path / "album" / name).write_bytes(picture)
    (tmp_path / "album" / "link.jpg").symlink_to(photos / "three.jpg")
    (tmp_path / "album" / "loop").symlink_to(tmp_path)
    (tmp_path / "album" / "itself.jpg").symlink_to("itself.jpg")
    Image.new("RGB", (60, 60)).save(tmp_path / "album" / "stub.png", exif=b"Exif\0\0II*\0")  # Pillow: struct.error
    found = {path.name for path in list_photos(tmp_path)}
    assert found == {"IMG_1.JPG_large", "no suffix", "link.jpg", "itself.jpg", "stub.png"}
    with pytest.raises(UserError, match="cannot be read"):
        read_photo(tmp_path / "album" / "stub.png")


def test_whatever_a_file_without_a_suffix_holds_the_others_are_found(tmp_path: Path):
    drawn_photo(1, (64, 64)).save(tmp_path / "good.jpg")
    drawn_photo(1, (64, 64)).save(tmp_path / "whole.avif")
    data = (tmp_path / "whole.avif").read_bytes()
    (tmp_path / "whole.avif").unlink()
    for place in range(0, 300, 2):  # its boxes
        (tmp_path / str(place)).write_bytes(data[:place] + b"\x7f" + data[place + 1 :])
    skipped = []
    found = list_photos(tmp_path, skipped)
    assert tmp_path / "good.jpg" in found
    assert skipped
    assert len(found) + len(skipped) == 151


def test_a_film_is_not_read_whole_to_see_that_it_is_no_picture(tmp_path: Path):
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(150_000_000))
    tracemalloc.start()
    assert not is_picture(tmp_path / "film.mp4")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000  # bytes


def test_a_path_without_pictures_is_named(photos: Path, tmp_path: Path):
    with pytest.raises(UserError, match="nowhere does not exist"):
        list_photos(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no picture"):
        list_photos(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        list_photos("a" * 300 + ".jpg")


def test_annotated_copies_are_left_out_wherever_they_lie_and_photos_beside_them_are_not(tmp_path: Path):
    photo, copy = tmp_path / "photo.jpg", tmp_path / "copies" / "photo.jpg"
    Image.new("RGB", (60, 60)).save(photo)
    write_annotated(photo, [], copy)
    with pytest.raises(UserError, match="holds no picture, annotated copies left out"):
        list_photos(copy.parent)
    Image.new("RGB", (60, 60)).save(copy.with_name("another.png"))
    os.mkfifo(copy.with_name("pipe.jpg"))
    found = [path.relative_to(tmp_path).as_posix() for path in list_photos(tmp_path)]
    assert found == ["copies/another.png", "copies/pipe.jpg", "photo.jpg"]
    assert list_photos(copy) == [copy]  # asked for by itself
