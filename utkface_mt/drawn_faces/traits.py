"""The traits of a drawn face: everything that is visible, and no label.

`sampling` draws them at random given the labels.
"""

from dataclasses import dataclass

PATTERNS = ("plain", "circle", "dots", "stripes", "window", "foliage")
COLLARS = ("crew", "v_neck", "shirt", "turtleneck", "hood")
GLASSES = ("none", "round", "square")
HATS = ("none", "beanie", "headband", "cap")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GATHERS = ("loose", "bun", "tail")
TINTS = ("none", "grey", "warm")


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
        scale: Factor on the size of the face, 0.99 to 1.21.
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

    @property
    def has_long_hair(self) -> bool:
        """Whether the hair falls beside the face or is gathered."""
        return self.hair_length > 0.45 and self.hair_amount > 0.55

    @property
    def covers_ears(self) -> bool:
        """Whether loose hair hides the ears."""
        return self.has_long_hair and self.gather == "loose"
