"""How often images of the training's kind are taken for others, and how often others are noticed.

    python benchmarks/likeness.py SAMPLE [--other NAME=FOLDER …]

SAMPLE has images/, 128 px, such as the 400 real galaxies; FOLDER holds images of another kind, such as `metalight
simulate` makes. Half of the sample, drawn again every time, stands for the training images.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from metalight.images import measure_statistics, name_statistics, resize_area
from metalight.model_files import find_mismatches, summarise_images

NUMS = (1, 3, 10, 30, 100)
NAMES = name_statistics(("i", "r", "g"))
SIDE = 128
_NUM_TRIALS = 1000

_Images = npt.NDArray[np.uint8]


def load(folder: Path) -> _Images:
    """The images of a folder, (galaxy, 128, 128, 3)."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    return np.stack([resize_area(np.asarray(Image.open(path).convert("RGB")), SIDE) for path in paths])


def resize(image: _Images, side: int) -> _Images:
    """An image enlarged or made smaller as a viewer does it."""
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def smooth(factor: int) -> Callable[[_Images], _Images]:
    """Made smaller and enlarged again."""
    return lambda image: resize(resize(image, SIDE // factor), SIDE)


def zoom(part: float) -> Callable[[_Images], _Images]:
    """The middle of an image, enlarged: another framing."""
    edge = round(SIDE * (1 - part) / 2)
    return lambda image: resize(image[edge : SIDE - edge, edge : SIDE - edge], SIDE)


def widen(image: _Images) -> _Images:
    """An image of twice the field."""
    edge = SIDE // 4
    return np.pad(resize(image, SIDE // 2), ((edge, edge), (edge, edge), (0, 0)), mode="symmetric")


def make_noise(image: _Images) -> _Images:
    """Noise of the image's mean level."""
    generator = np.random.default_rng(int(image.sum()))
    return np.clip(generator.normal(image.mean(axis=(0, 1)), 20, image.shape), 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[_Images], _Images]] = {
    "inverted": lambda image: 255 - image,
    "white noise": make_noise,
    "middle half": zoom(0.5),
    "middle three quarters": zoom(0.75),
    "twice the field": widen,
    "smoothed 2 px": smooth(2),
    "smoothed 4 px": smooth(4),
    "bands reversed": lambda image: np.ascontiguousarray(image[..., ::-1]),
    "grey": lambda image: np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
    "brighter, gamma 0.5": lambda image: (255 * (image / 255) ** 0.5).astype(np.uint8),
    "half as bright again": lambda image: np.clip(image * 1.5, 0, 255).astype(np.uint8),
}


def measure_rates(own: npt.NDArray[np.float64], others: npt.NDArray[np.float64] | None) -> list[float]:
    """Part of the trials with a warning, by the number of images; None: of the sample's other half."""
    rates = []
    for num in NUMS:
        generator = np.random.default_rng(num)
        alarms = 0
        for _ in range(_NUM_TRIALS):
            order = generator.permutation(len(own))
            half = len(own) // 2
            training = summarise_images(NAMES, own[order[:half]], np.full(half, SIDE))
            pool = own[order[half:]] if others is None else others[generator.permutation(len(others))]
            alarms += bool(find_mismatches(training, NAMES, pool[:num], np.full(len(pool[:num]), SIDE)))
        rates.append(alarms / _NUM_TRIALS)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sample", type=Path)
    parser.add_argument("--other", action="append", default=[])
    arguments = parser.parse_args()
    images = load(arguments.sample / "images")
    rows = np.arange(len(images))
    own = measure_statistics(images, rows)
    kinds = {"other half": None}
    kinds |= {
        name: measure_statistics(np.stack([change(image) for image in images]), rows)
        for name, change in CHANGES.items()
    }
    for given in arguments.other:
        name, _, folder = given.partition("=")
        others = load(Path(folder))
        kinds[name] = measure_statistics(others, np.arange(len(others)))
    print(f"{'warnings, %':24}" + "".join(f"{num:>8}" for num in NUMS))
    for name, numbers in kinds.items():
        print(f"{name:24}" + "".join(f"{100 * rate:8.1f}" for rate in measure_rates(own, numbers)))


if __name__ == "__main__":
    main()
