"""How well the size of a galaxy is measured on a picture, and what a wrong size costs.

    python benchmarks/petrosian_radius.py [--galaxies 1000] [--seed 11] [--real FOLDER] [--model demo/run]

Simulated galaxies are drawn as the first, wide cutouts of a download are: 256 pixels of 0.396 arcsec, stretched, as
JPEG. `measure_petrosian` measures each, in a frame twice as wide where it asks for that. Of ln(measured / true) R90 the
median, the NMAD (1.4826 times the median distance from the median), the 5th and 95th percentiles and the share of
galaxies without a radius are told: of all, in bins of true R90, and in bins of magnitude. The truth is that of smooth
bulges and discs; the images have arms and clumps, whose part in the scatter `--clean` shows: the same of fluxes without
noise.

`--real` is the folder of the authors' 400 real images, framed by 5.05 petroR90_r: of each the radius should be 25.3 px.

`--model` is a run or a model that has learnt `petrosian` frames of simulated galaxies (`make demo` makes one): 300
others are framed by 0.8 to 1.25 times their true R90, and predicted. The slope is that of each galaxy's prediction with
ln R90, by least squares; the spread is that of the differences from the prediction in the true frame. A frame of
another size has other noise, too: that is the spread at 0.99 and 1.01.
"""

import argparse
import io
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from metalight.cutouts import PETROSIAN_FIELD_IN_R90
from metalight.images import PICTURE_CURVES, PetrosianRadius, measure_petrosian
from metalight.simulation import INSTRUMENTS, Galaxy, Universe, draw_cutout, draw_population, iterate_galaxies

PIXEL_ARCSEC, SIDE = 0.396, 256
RADIUS_BINS_ARCSEC = (0.0, 2.5, 3.5, 5.0, 7.0, 10.0, 60.0)
MAGNITUDE_BINS = (10.0, 16.0, 16.8, 17.3, 17.6, 18.1)
FRAME_FACTORS = (0.8, 0.9, 0.95, 0.99, 1.0, 1.01, 1.05, 1.1, 1.25)
_REAL_R90_PX = 128 / PETROSIAN_FIELD_IN_R90
_NUM_FRAMED = 300

_Floats = npt.NDArray[np.float64]


def draw(galaxy: Galaxy, seed: int, frame_arcsec: float, side: int) -> bytes:
    """The JPEG file of a galaxy."""
    return draw_cutout(
        galaxy, frame_arcsec=frame_arcsec, side=side, seed=seed, instrument=INSTRUMENTS["sdss"], universe=Universe()
    )


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """Levels (side, side, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def measure_survey(population: pd.DataFrame, seed: int) -> tuple[list[PetrosianRadius], float, int]:
    """Each galaxy's radius, the milliseconds that one took, and how many needed a second, wider image."""
    measured, seconds, num_wider = [], 0.0, 0
    for galaxy in iterate_galaxies(population):
        for side in (SIDE, 2 * SIDE):
            levels = decode(draw(galaxy, seed, side * PIXEL_ARCSEC, side))
            start = time.perf_counter()
            found = measure_petrosian(levels, PIXEL_ARCSEC, stretch=PICTURE_CURVES["simulated"])
            seconds += time.perf_counter() - start
            if not found.needs_wider:
                break
            num_wider += side == SIDE
        measured.append(found)
    return measured, 1e3 * seconds / len(measured), num_wider


def measure_clean(population: pd.DataFrame, seed: int) -> list[PetrosianRadius]:
    """The same of fluxes without noise or compression."""
    from metalight.simulation import Instrument
    from metalight.simulation.scene import render_scene

    silent = {"sky_noise": (0.0,) * 3, "sky_offset": (0.0,) * 3, "light_of_electron": 0.0}
    instrument = Instrument(**(vars(INSTRUMENTS["sdss"]) | silent))
    measured = []
    for galaxy in iterate_galaxies(population):
        generator = np.random.default_rng([seed, galaxy.object_id])
        light = render_scene(galaxy, instrument, Universe(), SIDE, generator)
        measured.append(measure_petrosian(np.moveaxis(light, 0, -1), PIXEL_ARCSEC, stretch=None))
    return measured


def describe(errors: _Floats) -> str:
    """Number, failures, and percentiles of ln(measured / true), as one line."""
    known = errors[np.isfinite(errors)]
    if not len(known):
        return f"{len(errors):>8,}"
    median = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - median)))
    low, high = np.percentile(known, [5, 95])
    failed = 1 - len(known) / len(errors)
    return f"{len(errors):>8,}{failed:>10.1%}{median:>10.3f}{spread:>9.3f}{low:>9.3f}{high:>9.3f}"


def show_survey(population: pd.DataFrame, errors: _Floats) -> None:
    """Of all, and in bins."""
    print(f"{'':<32}{'galaxies':>8}{'failed':>10}{'median':>10}{'NMAD':>9}{'5 %':>9}{'95 %':>9}")
    print(f"{'all':<32}{describe(errors)}")
    for column, what, edges in (
        ("petro_r90_arcsec", "true R90 (arcsec)", RADIUS_BINS_ARCSEC),
        ("petro_magnitude", "magnitude in r", MAGNITUDE_BINS),
    ):
        values = population[column].to_numpy()
        for low, high in itertools.pairwise(edges):
            print(f"{f'{what} {low:g} to {high:g}':<32}{describe(errors[(low < values) & (values <= high)])}")
    for kind in ("star-forming", "merger", "quasar"):
        print(f"{kind:<32}{describe(errors[(population['kind'] == kind).to_numpy()])}")


def show_real(folder: Path) -> None:
    """Of real images framed by 5.05 petroR90_r."""
    images = [decode(path.read_bytes()) for path in sorted(folder.glob("*.jpg"))]
    measured = [measure_petrosian(image, 1.0, stretch=PICTURE_CURVES["sdss"]) for image in images]
    errors = np.log([found.r90_arcsec / _REAL_R90_PX for found in measured])
    print(f"{f'real, of {folder.name}':<32}{describe(errors)}")


def show_sensitivity(model: Path, seed: int, side: int) -> None:
    """What predictions do when frames are wrong."""
    predicted = pd.concat(
        {factor: predict_framed(model, seed, side, factor) for factor in FRAME_FACTORS}, axis=1
    ).dropna()
    logarithms = np.log(FRAME_FACTORS)
    values = predicted.to_numpy()
    slopes = (values - values.mean(axis=1, keepdims=True)) @ (logarithms - logarithms.mean())
    slopes /= np.sum((logarithms - logarithms.mean()) ** 2)
    print(f"\n{len(values)} galaxies, d prediction / d ln R90 (dex): ", end="")
    print(f"median {np.median(slopes):+.3f}, median size {np.median(np.abs(slopes)):.3f}, ", end="")
    print(f"16th to 84th percentile {np.percentile(slopes, 16):+.3f} to {np.percentile(slopes, 84):+.3f}")
    print(f"{'frame':>8}{'mean difference (dex)':>24}{'its spread (dex)':>20}")
    for column, factor in enumerate(FRAME_FACTORS):
        differences = values[:, column] - values[:, FRAME_FACTORS.index(1.0)]
        print(f"{factor:>8.2f}{differences.mean():>24.4f}{differences.std():>20.4f}")


def predict_framed(model: Path, seed: int, side: int, factor: float) -> "pd.Series[Any]":
    """Predictions of galaxies that are framed by so many times their true R90."""
    from metalight.pipeline import predict_images

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "images"
        folder.mkdir()
        for galaxy in iterate_galaxies(draw_population(_NUM_FRAMED, seed)):
            data = draw(galaxy, seed, factor * PETROSIAN_FIELD_IN_R90 * galaxy.petro_r90_arcsec, side)
            (folder / f"{galaxy.object_id}.jpg").write_bytes(data)
        output = Path(place) / "predicted.csv"
        predict_images(
            model, folder, output, views="eight", framing="petrosian", source="simulated", precision="float32"
        )
        table = pd.read_csv(output).set_index("object_id")
    return table[next(name for name in table.columns if name.endswith("_predicted"))]


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--clean", action="store_true", help="also measure fluxes without noise")
    parser.add_argument("--real", type=Path, help="folder of real images in petrosian frames of 128 px")
    parser.add_argument("--model", type=Path, help="run or model of petrosian frames of simulated galaxies")
    parser.add_argument("--side", type=int, default=64, help="pixels a side of the images that the model has learnt")
    arguments = parser.parse_args()
    population = draw_population(arguments.galaxies, arguments.seed)
    true = population["petro_r90_arcsec"].to_numpy()
    measured, milliseconds, num_wider = measure_survey(population, arguments.seed)
    print(f"ln(measured / true) R90; {milliseconds:.0f} ms an image; {num_wider} needed a wider one\n")
    show_survey(population, np.log([found.r90_arcsec / r90 for found, r90 in zip(measured, true, strict=True)]))
    if arguments.clean:
        clean = [found.r90_arcsec for found in measure_clean(population, arguments.seed)]
        print(f"{'fluxes without noise':<32}{describe(np.log(np.array(clean) / true))}")
    if arguments.real is not None:
        show_real(arguments.real)
    if arguments.model is not None:
        show_sensitivity(arguments.model, arguments.seed + 1, arguments.side)


if __name__ == "__main__":
    main()
