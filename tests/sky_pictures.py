"""Pictures as a service of cutouts sends them: of galaxies, each its own, and of texts of errors."""

import io

import numpy as np
from PIL import Image, ImageDraw


def make_galaxy(number: int, side: int = 128) -> bytes:
    """A JPEG in colour of a round galaxy on a noisy sky, the same each time for a number."""
    random = np.random.default_rng(number)
    rows, columns = np.mgrid[:side, :side]
    radius = np.hypot(rows - side / 2, columns - side / 2)
    light = 200 * np.exp(-radius / (side * random.uniform(0.05, 0.15)))
    sky = random.normal(12, 4, (side, side, 3))
    return encode(np.clip(light[..., None] * random.uniform(0.4, 1, 3) + sky, 0, 255).astype(np.uint8))


def make_message(text: str, side: int = 128) -> bytes:
    """A black JPEG with a text on it, as SkyServer paints its errors."""
    image = Image.new("RGB", (side, side))
    ImageDraw.Draw(image).text((2, side // 3), text, fill="white")
    return encode(np.asarray(image))


def encode(levels: np.ndarray, *, quality: int = 75) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
