"""How the traits of a drawn face are drawn at random from its labels age, gender and race code.

A face has an apparent age, which is its age plus noise, and a gender expression, which is -1 for men and +1 for women
plus noise, and close to 0 for small children. All visible signs of age and gender follow these two hidden numbers with
some noise of their own, so that they overlap as they do in life. The race code shifts the distributions of skin tone
and hair colour, which overlap broadly between the five codes, and nothing else: never a facial feature.
"""

import numpy as np

from .traits import BEARDS, COLLARS, GATHERS, GLASSES, HATS, PATTERNS, TINTS, Traits

# Mean and standard deviation of the skin tone and of the hair tone, in the order of the race codes
# 0 White, 1 Black, 2 Asian, 3 Indian, 4 Other. They are the only thing a race code changes.
_SKIN_TONE = ((0.20, 0.14), (0.70, 0.17), (0.29, 0.14), (0.51, 0.16), (0.42, 0.19))
_HAIR_TONE = ((0.42, 0.24), (0.90, 0.12), (0.88, 0.12), (0.86, 0.13), (0.74, 0.20))


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

    def sign(start: float, end: float, spread: float = 0.05) -> float:
        return _clip(_ramp(apparent, start, end) * (1 + rng.normal(0, 0.1)) + rng.normal(0, spread))

    grown = 1 - (1 - _clip(apparent / 21)) ** 1.7
    return {
        "growth": _clip(grown + rng.normal(0, 0.03)),
        "hair_amount": _clip(0.12 + _ramp(apparent, -0.5, 4.5) + rng.normal(0, 0.1)),
        "forehead_lines": sign(28, 76),
        "crows_feet": sign(24, 70),
        "folds": sign(20, 66),
        "eye_bags": sign(30, 80),
        "sag": sign(38, 92, 0.04),
        "grey": sign(32, 72, 0.05) * (apparent > 25),
        "nose_size": _clip(1 + 0.26 * _ramp(apparent, 25, 95) + rng.normal(0, 0.07), 0.8, 1.4),
        "ear_size": _clip(1 + 0.28 * _ramp(apparent, 25, 95) + rng.normal(0, 0.06), 0.85, 1.4),
    }


def _gendered(apparent: float, gender: int, expression: float, rng: np.random.Generator) -> dict:
    """Return the signs of gender, which overlap between men and women and hardly differ between small children."""
    adult = _ramp(apparent, 13, 20)
    thin = _ramp(apparent, 28, 88)
    draws = rng.normal(0, 1, 8)
    odd_hair, bald_luck, beard_luck, ring_luck = rng.random(4)
    beard = _pick(rng, BEARDS, (0.3, 0.2, 0.12, 0.14, 0.24))
    length = 0.5 + 0.36 * expression + 0.1 * draws[0] - 0.16 * _ramp(apparent, 50, 78) * (expression > 0)
    length = length if odd_hair > 0.03 else 0.5 + 0.25 * draws[0]
    bearded = gender == 0 and expression < 0.1 and apparent > 17 + 6 * beard_luck
    baldness = (0.15 + 1.15 * bald_luck) * _ramp(apparent, 24, 72) * (1 if gender == 0 else 0.22)
    return {
        "face_width": _clip(1 - 0.012 * expression + 0.022 * draws[1], 0.92, 1.08),
        "face_height": _clip(1 - 0.012 * expression + 0.022 * draws[2], 0.92, 1.08),
        "jaw": _clip(-0.6 * expression * (0.3 + 0.7 * adult) + 0.2 * draws[3], -1, 1),
        "brow_thickness": _clip(0.46 - 0.07 * expression + 0.1 * draws[4]),
        "lip_fullness": _clip(0.5 + 0.2 * expression * adult + 0.1 * draws[5] - 0.38 * thin),
        "lip_colour": _clip(0.30 + 0.24 * expression * adult + 0.14 * draws[6] - 0.08 * thin),
        "lashes": _clip(0.36 + 0.42 * expression + 0.12 * draws[7]),
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
        "scale": rng.uniform(0.99, 1.21),
        "smile": 1.3 * rng.random() ** 0.5 - 0.3,
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
    flaw, amount = rng.random(2).tolist()
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
        "blur": 0.4 + 0.4 * amount if flaw < 0.04 else 0.0,
        "noise": 3 + 3 * amount if 0.04 < flaw < 0.09 else 0.0,
        "tint": TINTS[1] if 0.09 < flaw < 0.12 else TINTS[2] if 0.12 < flaw < 0.16 else TINTS[0],
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
    apparent = max(0.3, age + rng.normal(0, 1) * min(1.5 + 0.05 * age, 0.6 + 0.3 * age))
    strength = 0.22 + 0.78 * _ramp(age, 3, 18)
    expression = (2 * gender - 1) * strength + 0.3 * rng.normal(0, 1)
    return Traits(
        **_ageing(apparent, rng),
        **_gendered(apparent, gender, expression, rng),
        **_colours(race, rng),
        **_pose(rng),
        **_setting(age, rng),
    )
