"""The traits of a drawn face, and how they are drawn at random from the labels age, gender and race.

A face has an apparent age, which is its age plus noise, and a gender expression, which is -1 for men and +1 for women
plus noise, and close to 0 for small children. All visible signs of age and gender follow these two hidden numbers with
some noise of their own, so that they overlap as they do in life. The race code shifts the distributions of skin tone
and hair colour, which overlap broadly between the five codes, and nothing else: never a facial feature.
"""

from dataclasses import dataclass

import numpy as np

PATTERNS = ("plain", "circle", "dots", "stripes", "window", "foliage")
COLLARS = ("crew", "v_neck", "shirt", "turtleneck", "hood")
GLASSES = ("none", "round", "square")
HATS = ("none", "beanie", "headband", "cap")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GATHERS = ("loose", "bun", "tail")
TINTS = ("none", "grey", "warm")

# Mean and standard deviation of the skin tone and of the hair tone, in the order of the race codes
# 0 White, 1 Black, 2 Asian, 3 Indian, 4 Other. They are the only thing a race code changes.
_SKIN_TONE = ((0.18, 0.12), (0.76, 0.14), (0.27, 0.12), (0.54, 0.15), (0.42, 0.20))
_HAIR_TONE = ((0.42, 0.24), (0.90, 0.12), (0.88, 0.12), (0.86, 0.13), (0.74, 0.20))


@dataclass(frozen=True)
class Traits:
    """Everything that `draw_face` needs to know about a face; it holds no label.

    The signs of age and gender come first, then the colours, then the nuisance traits, which are drawn
    independently of the labels (glasses become slightly more frequent with age).

    Attributes:
        growth: Proportions of the face, 0 (baby) to 1 (adult).
        hair_amount: How much hair has grown, 0 (bald baby) to 1.
        face_width: Factor on the width of the head, about 0.92 to 1.08.
        face_height: Factor on the length of the lower face, about 0.92 to 1.08.
        jaw: Width of the jaw, -1 (narrow) to 1 (broad).
        eye_size: Factor on the eyes, about 0.85 to 1.2.
        eye_tilt: Height of the outer corner of the eye over the inner one, -1 to 1.
        nose_size: Factor on the nose, about 0.8 to 1.4.
        ear_size: Factor on the ears, about 0.85 to 1.4.
        lip_fullness: Thickness of the lips, 0 to 1.
        lip_colour: Redness of the lips, 0 (as the skin) to 1 (lipstick).
        brow_thickness: 0 (fine) to 1 (bushy).
        lashes: Length of the lashes, 0 to 1.
        forehead_lines: Depth of the lines across the forehead, 0 to 1.
        crows_feet: Depth of the lines beside the eyes, 0 to 1.
        folds: Depth of the nasolabial folds, 0 to 1.
        eye_bags: Depth of the bags under the eyes, 0 to 1.
        sag: How far jaw and eyelids have dropped, 0 to 1.
        grey: Share of grey hair, 0 to 1.
        baldness: 0 (full hair) over 0.6 (high forehead) to 1 (a ring of hair).
        hair_length: 0.1 (cropped) over 0.5 (to the jaw) to 1 (over the shoulders).
        gather: Whether long hair is loose or gathered, one of `GATHERS`.
        beard: One of `BEARDS`.
        earrings: Whether earrings are worn.
        skin_tone: 0 (light) to 1 (deep).
        undertone: Tint of the skin, -1 (rosy) to 1 (golden).
        hair_tone: Colour of the hair without grey, 0 (blond) over 0.5 (brown) to 1 (black).
        iris_tone: Colour of the eyes, 0 (dark brown) over 0.7 (hazel) to 1 (blue).
        curl: 0 (straight) to 1 (curly).
        hair_volume: 0 (flat) to 1 (voluminous).
        parting: Place of the parting, -1 (left in the picture) to 1 (right).
        fringe: Whether a fringe covers the forehead.
        roll: Rotation of the head in degrees, -12 to 12, clockwise.
        yaw: Turn of the head, -1 (to the left in the picture) to 1.
        shift_x: Displacement in pixels, -9 to 9.
        shift_y: Displacement in pixels, -6 to 6.
        scale: Factor on the size of the face, 0.94 to 1.16.
        smile: -0.3 (sulking) to 1 (beaming).
        mouth_open: 0 (closed) to 1 (laughing).
        gaze_x: Direction of the eyes, -1 (left in the picture) to 1.
        gaze_y: Direction of the eyes, -1 (up) to 1 (down).
        light_angle: Direction the light comes from in radians, 0 is right, pi / 2 is above.
        light_strength: Contrast of the shading, 0.15 to 1.
        background_hue: Radians, 0 to 2 pi.
        background_light: Lightness of the background, 0 to 1.
        pattern: One of `PATTERNS`.
        clothing_hue: Radians, 0 to 2 pi.
        clothing_light: Lightness of the clothing, 0 to 1.
        collar: One of `COLLARS`.
        striped: Whether the clothing is striped.
        glasses: One of `GLASSES`.
        hat: One of `HATS`.
        blur: Radius of an overall blur in pixels, 0 for most.
        noise: Standard deviation of an overall noise in grey levels, 0 for most.
        tint: One of `TINTS`.
        texture_seed: Seed of the places of dots, leaves and noise.
    """

    growth: float
    hair_amount: float
    face_width: float
    face_height: float
    jaw: float
    eye_size: float
    eye_tilt: float
    nose_size: float
    ear_size: float
    lip_fullness: float
    lip_colour: float
    brow_thickness: float
    lashes: float
    forehead_lines: float
    crows_feet: float
    folds: float
    eye_bags: float
    sag: float
    grey: float
    baldness: float
    hair_length: float
    gather: str
    beard: str
    earrings: bool
    skin_tone: float
    undertone: float
    hair_tone: float
    iris_tone: float
    curl: float
    hair_volume: float
    parting: float
    fringe: bool
    roll: float
    yaw: float
    shift_x: float
    shift_y: float
    scale: float
    smile: float
    mouth_open: float
    gaze_x: float
    gaze_y: float
    light_angle: float
    light_strength: float
    background_hue: float
    background_light: float
    pattern: str
    clothing_hue: float
    clothing_light: float
    collar: str
    striped: bool
    glasses: str
    hat: str
    blur: float
    noise: float
    tint: str
    texture_seed: int


def _clip(value: float, low: float = 0.0, high: float = 1.0) -> float:
    """Return a number limited to low..high."""
    return float(min(max(value, low), high))


def _ramp(value: float, start: float, end: float) -> float:
    """Return 0 before start, 1 after end, and a smooth rise between."""
    t = _clip((value - start) / (end - start))
    return t * t * (3 - 2 * t)


def _pick(rng: np.random.Generator, options: tuple[str, ...], weights: tuple[float, ...]) -> str:
    """Return one of the options with the given probabilities, using one random number."""
    position = int(np.searchsorted(np.cumsum(weights), rng.random() * sum(weights), side="right"))
    return options[min(position, len(options) - 1)]


def _ageing(apparent: float, rng: np.random.Generator) -> dict:
    """Return the signs of age, each with a little noise of its own."""

    def sign(start: float, end: float, spread: float = 0.06) -> float:
        return _clip(_ramp(apparent, start, end) * (1 + rng.normal(0, 0.1)) + rng.normal(0, spread))

    grown = 1 - (1 - _clip(apparent / 21)) ** 1.7
    return {
        "growth": _clip(grown + rng.normal(0, 0.02)),
        "hair_amount": _clip(0.12 + _ramp(apparent, -0.5, 4.5) + rng.normal(0, 0.1)),
        "forehead_lines": sign(28, 76),
        "crows_feet": sign(24, 70),
        "folds": sign(20, 66),
        "eye_bags": sign(30, 80),
        "sag": sign(38, 92, 0.04),
        "grey": sign(32, 72, 0.05) if apparent > 25 else 0.0 * sign(32, 72),
        "nose_size": _clip(1 + 0.26 * _ramp(apparent, 25, 95) + rng.normal(0, 0.07), 0.8, 1.4),
        "ear_size": _clip(1 + 0.28 * _ramp(apparent, 25, 95) + rng.normal(0, 0.06), 0.85, 1.4),
    }


def _gendered(apparent: float, gender: int, expression: float, rng: np.random.Generator) -> dict:
    """Return the signs of gender; the labels change no count of random numbers."""
    adult = _ramp(apparent, 13, 20)
    thin = _ramp(apparent, 28, 88)
    draws = rng.normal(0, 1, 8)
    odd_hair, bald_luck, beard_luck, ring_luck = rng.random(4)
    length = 0.5 + 0.33 * expression + 0.13 * draws[0] - 0.16 * _ramp(apparent, 50, 78) * (expression > 0)
    length = length if odd_hair > 0.07 else 0.5 + 0.25 * draws[0]
    beard = _pick(rng, BEARDS, (0.45, 0.2, 0.09, 0.1, 0.16)) if beard_luck < 1.1 else "none"
    bearded = gender == 0 and expression < 0.1 and apparent > 17 + 6 * beard_luck
    baldness = (0.15 + 1.15 * bald_luck) * _ramp(apparent, 24, 72) * (1 if gender == 0 else 0.22)
    return {
        "face_width": _clip(1 - 0.012 * expression + 0.022 * draws[1], 0.92, 1.08),
        "face_height": _clip(1 - 0.012 * expression + 0.022 * draws[2], 0.92, 1.08),
        "jaw": _clip(-0.5 * expression * (0.3 + 0.7 * adult) + 0.2 * draws[3], -1, 1),
        "brow_thickness": _clip(0.46 - 0.22 * expression + 0.1 * draws[4]),
        "lip_fullness": _clip(0.5 + 0.17 * expression * adult + 0.1 * draws[5] - 0.38 * thin),
        "lip_colour": _clip(0.30 + 0.24 * expression * adult + 0.14 * draws[6] - 0.08 * thin),
        "lashes": _clip(0.32 + 0.38 * expression + 0.12 * draws[7]),
        "hair_length": _clip(length, 0.08, 1),
        "beard": beard if bearded else "none",
        "baldness": _clip(baldness),
        "earrings": bool(ring_luck < 0.5 * _clip(expression) * (0.25 + 0.75 * adult)),
    }


def _colours(race: int, rng: np.random.Generator) -> dict:
    """Return skin tone and hair tone, the only traits that depend on the race code."""
    skin, undertone, hair = rng.normal(0, 1, 3)
    return {
        "skin_tone": _clip(_SKIN_TONE[race][0] + _SKIN_TONE[race][1] * skin),
        "undertone": _clip(0.45 * undertone, -1, 1),
        "hair_tone": _clip(_HAIR_TONE[race][0] + _HAIR_TONE[race][1] * hair),
    }


def _pose(rng: np.random.Generator) -> dict:
    """Return place, expression and light of the face, independent of every label."""
    return {
        "eye_size": _clip(rng.normal(1, 0.06), 0.85, 1.2),
        "eye_tilt": _clip(rng.normal(0, 0.4), -1, 1),
        "roll": _clip(rng.normal(0, 5), -12, 12),
        "yaw": _clip(rng.normal(0, 0.45), -1, 1),
        "shift_x": rng.uniform(-9, 9),
        "shift_y": rng.uniform(-6, 6),
        "scale": rng.uniform(0.94, 1.16),
        "smile": 1.3 * rng.random() ** 0.65 - 0.3,
        "mouth_open": _clip(rng.uniform(-1.0, 1.0)),
        "gaze_x": _clip(rng.normal(0, 0.45), -1, 1),
        "gaze_y": _clip(rng.normal(0, 0.35), -1, 1),
        "light_angle": rng.uniform(0, 2 * np.pi),
        "light_strength": rng.uniform(0.15, 1),
    }


def _setting(age: int, rng: np.random.Generator) -> dict:
    """Return background, clothing, accessories and picture quality; only glasses depend on the age, slightly."""
    iris = rng.random()
    glasses_luck = rng.random()
    frame = _pick(rng, GLASSES[1:], (1, 1))
    blur, noise, tint = rng.random(3)
    return {
        "iris_tone": 0.6 * iris / 0.7 if iris < 0.7 else 0.6 + (iris - 0.7) / 0.75,
        "curl": rng.random(),
        "hair_volume": rng.random(),
        "parting": rng.uniform(-1, 1),
        "fringe": bool(rng.random() < 0.3),
        "gather": _pick(rng, GATHERS, (0.66, 0.18, 0.16)),
        "background_hue": rng.uniform(0, 2 * np.pi),
        "background_light": rng.random(),
        "pattern": _pick(rng, PATTERNS, (0.28, 0.2, 0.14, 0.1, 0.12, 0.16)),
        "clothing_hue": rng.uniform(0, 2 * np.pi),
        "clothing_light": rng.random(),
        "collar": _pick(rng, COLLARS, (0.3, 0.18, 0.22, 0.16, 0.14)),
        "striped": bool(rng.random() < 0.22),
        "glasses": frame if glasses_luck < 0.09 + 0.11 * _ramp(age, 5, 90) else "none",
        "hat": _pick(rng, HATS, (0.87, 0.05, 0.05, 0.03)),
        "blur": 0.5 + 0.5 * rng.random() if blur < 0.05 else 0.0 * rng.random(),
        "noise": 3 + 3 * rng.random() if noise < 0.05 else 0.0 * rng.random(),
        "tint": TINTS[0] if tint < 0.93 else TINTS[1] if tint < 0.965 else TINTS[2],
        "texture_seed": int(rng.integers(2**31)),
    }


def sample_traits(age: int, gender: int, race: int, rng: np.random.Generator) -> Traits:
    """Draw the traits of a face given its labels.

    The race code shifts the distributions of skin tone and hair colour only, never a facial feature: with the same
    random numbers, all other traits are equal for the five codes.

    Args:
        age: Age in years, 0 to 116.
        gender: 0 male, 1 female.
        race: 0 White, 1 Black, 2 Asian, 3 Indian, 4 Other.
        rng: Source of random numbers, which is advanced.

    Returns:
        The traits.

    Raises:
        ValueError: If a label is out of range.
    """
    if not 0 <= age <= 116 or gender not in (0, 1) or race not in range(5):
        raise ValueError(f"no such labels: age {age}, gender {gender}, race {race}")
    apparent = max(0.3, age + rng.normal(0, 1) * min(2 + 0.06 * age, 0.8 + 0.35 * age))
    strength = 0.22 + 0.78 * _ramp(age, 3, 18)
    expression = (2 * gender - 1) * strength + 0.45 * rng.normal(0, 1)
    return Traits(
        **_ageing(apparent, rng),
        **_gendered(apparent, gender, expression, rng),
        **_colours(race, rng),
        **_pose(rng),
        **_setting(age, rng),
    )
