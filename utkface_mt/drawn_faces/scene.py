"""What surrounds a drawn face: the background, the light over the whole picture, and its quality."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .canvas import OVERSAMPLE, SIZE
from .colours import Palette, mix
from .head import light_ramp
from .traits import Traits


def draw_background(traits: Traits, colours: Palette) -> Image.Image:
    """Return the 400 x 400 background: a gradient with a quiet pattern."""
    side = SIZE * OVERSAMPLE
    image = Image.new("RGB", (side, side), colours.background)
    ramp = light_ramp(traits, side // 8).resize((side, side), Image.Resampling.BILINEAR)
    image.paste(colours.background_shade, (0, 0), ramp)
    draw = ImageDraw.Draw(image, "RGBA")
    pale = (*mix(colours.background, (255, 255, 255), 0.6), 120)
    if traits.pattern == "circle":
        draw.ellipse((42, 30, 358, 346), fill=pale)
    elif traits.pattern == "dots":
        for row in range(10):
            for column in range(10):
                x, y = column * 44 + 22 * (row % 2), row * 44
                draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=pale)
    elif traits.pattern == "stripes":
        for x in range(-400, 400, 56):
            draw.polygon((x, 0, x + 26, 0, x + 426, 400, x + 400, 400), fill=(*pale[:3], 80))
    elif traits.pattern == "window":
        _draw_window(draw, traits, colours)
    elif traits.pattern == "foliage":
        _draw_foliage(draw, traits, colours)
    return image


def _draw_window(draw: ImageDraw.ImageDraw, traits: Traits, colours: Palette) -> None:
    """Draw a window with sky on one side of the background."""
    x = 20 if traits.texture_seed % 2 else 240
    draw.rectangle((x - 8, 22, x + 148, 262), fill=mix(colours.background, (255, 255, 255), 0.75))
    for left in (x, x + 74):
        for top in (30, 146):
            draw.rectangle((left, top, left + 66, top + 108), fill=(176, 214, 232))
            draw.polygon((left, top + 108, left + 66, top + 60, left + 66, top + 108), fill=(198, 228, 240))


def _draw_foliage(draw: ImageDraw.ImageDraw, traits: Traits, colours: Palette) -> None:
    """Draw leaves that reach into the picture from both sides."""
    rng = np.random.default_rng(traits.texture_seed)
    t = np.linspace(0, np.pi, 9)
    half = np.stack([np.linspace(0, 1, 9), 0.24 * np.sin(t)], axis=1)
    leaf = np.concatenate([half, half[::-1] * (1, -1)])
    for number in range(14):
        right = number % 2
        x, y = (400 if right else 0) + rng.uniform(-14, 14), rng.uniform(10, 330)
        angle = (np.pi if right else 0) + rng.uniform(-0.9, 0.9)
        length = rng.uniform(70, 130)
        green = mix((92, 150, 112), colours.background_shade, rng.uniform(0.15, 0.7))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        points = (leaf @ turn) * length + (x, y)
        draw.polygon(points.round(1).ravel().tolist(), fill=green)
        draw.line((x, y, x + length * np.cos(angle), y + length * np.sin(angle)), fill=(255, 255, 255, 70), width=3)


def finished(image: Image.Image, traits: Traits) -> Image.Image:
    """Return the picture at 200 x 200 pixels, with light, tint, blur and noise."""
    image = image.reduce(OVERSAMPLE)
    if traits.tint == "grey":
        image = Image.blend(image, image.convert("L").convert("RGB"), 0.6)
    elif traits.tint == "warm":
        image = Image.blend(image, Image.new("RGB", image.size, (255, 190, 110)), 0.18)
    shade = light_ramp(traits, 50).resize(image.size, Image.Resampling.BILINEAR)
    shade = shade.point([round(max(0, value - 96) * 0.24 * traits.light_strength) for value in range(256)])
    image.paste((58, 36, 66), (0, 0), shade)
    if traits.blur > 0:
        image = image.filter(ImageFilter.GaussianBlur(traits.blur))
    if traits.noise > 0:
        rng = np.random.default_rng(traits.texture_seed)
        grain = np.asarray(image, dtype=np.float32) + traits.noise * rng.standard_normal(
            (SIZE, SIZE, 1), dtype=np.float32
        )
        image = Image.fromarray(grain.round().clip(0, 255).astype(np.uint8))
    return image
