"""Reads pictures of all kinds with bits flipped, cut short, or lying in their headers.

`python tests/faces/fuzz_readers.py FIRST LAST` tries the seeds from FIRST to before LAST; the last one printed is that
of a crash, or of a hang over ten seconds. A seed makes the same file each time.
"""

import contextlib
import io
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from utkface_mt.drawn_faces.photo import drawn_photo
from utkface_mt.faces.read import read_photo
from utkface_mt.util.errors import UserError

LIES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 12_000, 60_000)


def pictures() -> Iterator[bytes]:
    """A small picture in every kind of file that is read."""
    photo = drawn_photo(1, (96, 64), 60)
    grey, exif = np.asarray(photo.convert("L")), Image.Exif()
    exif[0x0112] = 6
    deep, shares = Image.fromarray(grey.astype(np.uint16) * 257), Image.fromarray(grey.astype(np.float32) / 255)
    clear = photo.copy()
    clear.putalpha(Image.fromarray(grey))
    saved = [
        (photo, "JPEG", {"exif": exif}), (photo, "JPEG", {"progressive": True}), (photo.convert("CMYK"), "JPEG", {}),
        (photo, "PNG", {"exif": exif}), (deep, "PNG", {}), (clear, "PNG", {}), (photo.convert("P"), "PNG", {}),
        (photo.convert("1"), "PNG", {}), (photo, "WEBP", {}), (clear, "WEBP", {"lossless": True}), (photo, "BMP", {}),
        (photo, "GIF", {"save_all": True, "append_images": [clear]}), (photo, "AVIF", {}), (photo, "PPM", {}),
        (deep, "TIFF", {}), (shares, "TIFF", {}), (clear, "TIFF", {"compression": "tiff_lzw"}), (deep, "JPEG2000", {}),
        (photo, "TIFF", {"compression": "jpeg"}), (photo.convert("1"), "TIFF", {"compression": "group4"}),
    ]  # fmt: skip
    for picture, kind, options in saved:
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        yield stream.getvalue()
    stream = io.BytesIO()
    pillow_heif.from_pillow(photo).save(stream)
    yield stream.getvalue()


def mutated(data: bytes, generator: np.random.Generator) -> bytes:
    """The bytes of a file, changed in one to eight places."""
    changed = bytearray(data)
    for _ in range(int(generator.integers(1, 9))):
        reach = len(changed) if generator.random() < 0.5 else min(len(changed), 200)  # half of them in the header
        place, kind = int(generator.integers(0, max(1, reach))), generator.integers(0, 5)
        if kind == 0:
            changed[place : place + 1] = bytes([changed[place] ^ 1 << int(generator.integers(0, 8))] if changed else [])
        elif kind == 1:
            size, order = int(generator.choice([1, 2, 4])), str(generator.choice(["big", "little"]))
            changed[place : place + size] = (int(generator.choice(LIES)) % 256**size).to_bytes(size, order)
        elif kind == 2:
            changed = changed[:place] if generator.random() < 0.3 else changed
        elif kind == 3:
            changed[place:place] = changed[place : place + int(generator.integers(1, 64))]
        else:
            del changed[place : place + int(generator.integers(1, 16))]
    return bytes(changed)


def main(first: int, last: int) -> None:
    """Tries the seeds from `first` to before `last`."""
    sources = list(pictures())
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, last):
            print(seed, flush=True)
            path = Path(folder, "picture")
            path.write_bytes(mutated(sources[seed % len(sources)], np.random.default_rng(seed)))
            signal.alarm(10)
            with contextlib.suppress(UserError):
                read_photo(path)
            signal.alarm(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
