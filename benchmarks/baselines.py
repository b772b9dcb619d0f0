"""What baselines reach on real galaxies by cross-validation, and what they cost with as many galaxies as the paper has.

    python benchmarks/baselines.py ../shared/real-sample [--kinds NAME …] [--folds 5] [--seeds 4] [--without PATTERN …]
    python benchmarks/baselines.py --cost 77000

The first measures the numbers of each image of a folder `images` whose galaxies stand in `catalog.csv` (objID, oh_p50
and whatever photometry there is), and fits each baseline to all folds but one, which it then predicts. Printed are RMSE
and NMAD over all galaxies, the mean of several divisions into folds; the 68 % interval of the RMSE by bootstrap of the
galaxies, whose squared residuals are averaged over the divisions first; and the standard deviation of the divisions.
`--without` leaves out groups of numbers, to see what each is worth.

The second makes up so many training galaxies (numbers with noise, no images but 2,000 of them) and tells seconds of
one processor, and memory, of every fit.
"""

import argparse
import re
import resource
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from metalight.baselines import BASELINES, Galaxies, fit_baseline
from metalight.catalog import compute_properties
from metalight.images import decode_image, measure_apertures, measure_mean_levels, name_apertures
from metalight.metrics import compute_nmad, compute_rmse
from metalight.recipe import KNOWN_BASELINES
from metalight.tables import Table, load_table

_Floats = npt.NDArray[np.float64]


def load_galaxies(folder: Path, without: list[str]) -> tuple[Galaxies, _Floats]:
    """The galaxies of a folder by increasing identifier, and their metallicities."""
    table = load_table(folder / "catalog.csv")
    table = Table(table.frame.sort_values("objID", ignore_index=True), table.info)
    object_ids = table.frame["objID"].to_numpy(dtype=np.int64)
    images = np.stack([decode_image((folder / f"images/{name}.jpg").read_bytes()) for name in object_ids])
    rows = np.arange(len(images))
    names = name_apertures(("i", "r", "g"))
    kept = [place for place, name in enumerate(names) if not any(re.match(word, name) for word in without)]
    print(f"{len(images)} galaxies, {images.shape[1]} px; {len(kept)} numbers of each image")
    properties = compute_properties(table, {}, path=folder).frame
    measured = {"apertures": measure_apertures(images, rows)[:, kept], "levels": measure_mean_levels(images, rows)}
    known = {str(name): properties[name].to_numpy() for name in properties}
    return Galaxies(object_ids, known, measured, {}), table.frame["oh_p50"].to_numpy(dtype=np.float64)


def cross_validate(name: str, galaxies: Galaxies, target: _Floats, num_folds: int, seed: int) -> _Floats:
    """Predictions of all galaxies, each by a fit that has not seen it; nothing is chosen by the fold that is told."""
    folds = np.random.default_rng(seed).permutation(len(target)) % num_folds
    predicted = np.full(len(target), np.nan)
    for fold in range(num_folds):
        is_told = folds == fold
        is_validation = folds == (fold + 1) % num_folds if name.startswith("boosting") else np.zeros_like(is_told)
        fitted = fit_baseline(
            name,
            galaxies,
            target,
            is_training=~is_told & ~is_validation,
            is_validation=is_validation,
            is_metallicity=True,
            seed=seed,
        )
        if fitted.left_out:
            raise SystemExit(f"{name}: {fitted.left_out}")
        predicted[is_told] = fitted.predicted[is_told]
    return predicted


def tell_accuracy(options: argparse.Namespace) -> None:
    """A row a baseline."""
    galaxies, target = load_galaxies(options.sample, options.without)
    kinds = options.kinds or ["mean", "forest_pixel", "forest_apertures", "boosting_apertures", "gaussian_process"]
    print(f"{'':<22}{'RMSE':>8}{'68 % interval':>20}{'divisions ±':>13}{'NMAD':>8}{'seconds':>9}")
    for name in kinds:
        started = time.perf_counter()
        predicted = [cross_validate(name, galaxies, target, options.folds, seed) for seed in range(options.seeds)]
        is_told = np.isfinite(predicted).all(axis=0)
        truth = target[is_told]
        residuals = np.stack(predicted)[:, is_told] - truth
        rmses = [compute_rmse(truth, truth + each) for each in residuals]
        nmads = [compute_nmad(each) for each in residuals]
        squares, generator = np.mean(residuals**2, axis=0), np.random.default_rng(0)
        drawn = [np.sqrt(generator.choice(squares, len(squares)).mean()) for _ in range(2000)]
        low, high = np.percentile(drawn, [16, 84])
        seconds = (time.perf_counter() - started) / options.seeds / options.folds
        interval = f"{low:.4f} to {high:.4f}"
        numbers = f"{np.mean(rmses):8.4f}{interval:>20}{np.std(rmses):13.4f}{np.mean(nmads):8.4f}{seconds:9.2f}"
        print(f"{name:<22}{numbers}", flush=True)


def tell_cost(num_training: int) -> None:
    """Seconds and memory with so many training galaxies, a fourth as many to validate and to test each."""
    generator, num = np.random.default_rng(0), round(num_training * 1.5)
    hidden = generator.normal(size=(num, 3))
    target = 8.9 + 0.15 * np.tanh(hidden[:, 0]) + 0.08 * hidden[:, 1] + generator.normal(0, 0.08, num)

    def tell(num_numbers: int, noise: float) -> _Floats:
        mixed = hidden @ generator.normal(size=(3, num_numbers)) + generator.normal(0, noise, (num, num_numbers))
        return np.asarray(mixed)

    names = [f"magnitude_{band}" for band in "ugriz"] + ["u_g", "g_r", "r_i", "i_z", "log_mass"]
    properties = dict(zip(names, tell(10, 0.5).T, strict=True))
    properties["log_mass"] = 10 + 0.4 * properties["log_mass"]
    galaxies = Galaxies(np.arange(num), properties, {"apertures": tell(28, 0.5), "levels": tell(3, 0.5)}, {})
    images = generator.integers(0, 255, (2000, 128, 128, 3), dtype=np.uint8)
    measure_apertures(images, np.arange(2))
    started = time.process_time()
    measure_apertures(images, np.arange(2000))
    each = (time.process_time() - started) / 2000
    print(f"numbers of an image of 128 px: {1e3 * each:.2f} ms, so {each * num:.0f} s for {num:,} galaxies")
    total = 0.0
    is_training = np.arange(num) < num_training
    is_validation = ~is_training & (np.arange(num) < 1.25 * num_training)
    for name in KNOWN_BASELINES:
        started = time.process_time()
        fitted = fit_baseline(
            name, galaxies, target, is_training=is_training, is_validation=is_validation, is_metallicity=True
        )
        seconds = time.process_time() - started
        total += seconds
        told = np.arange(num) >= 1.25 * num_training
        told &= np.isfinite(fitted.predicted)
        rmse = compute_rmse(target[told], fitted.predicted[told])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        sees = BASELINES[name].sees.words
        print(f"{name:<22}{sees:<28}{seconds:7.1f} s  RMSE {rmse:.4f}  peak {peak:.2f} GiB  {fitted.note}", flush=True)
    print(f"all: {total:.0f} s")


def main() -> None:
    """Accuracy of a sample, or cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sample", type=Path, nargs="?")
    parser.add_argument("--kinds", nargs="*", choices=KNOWN_BASELINES, default=[])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--without", nargs="*", default=[], metavar="PATTERN", help="numbers to leave out")
    parser.add_argument("--cost", type=int, metavar="GALAXIES")
    options = parser.parse_args()
    if options.cost:
        tell_cost(options.cost)
    elif options.sample:
        tell_accuracy(options)
    else:
        parser.error("give a folder, or --cost")


if __name__ == "__main__":
    main()
