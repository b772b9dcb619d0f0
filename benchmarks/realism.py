"""How like the real sky the simulated survey is: numbers of both, side by side.

    pip install -e '.[benchmarks]'
    python benchmarks/realism.py ../shared/real-sample/images [--galaxies 2000] [-o FOLDER]

Real are the authors' 400 galaxies of SDSS, 128 × 128 pixels framed by 5.05 petroR90_r; simulated as many of
`metalight simulate` as asked for, with the default universe. Of every image the same numbers are measured
(`measure_image`), and their 5th, 16th, 50th, 84th and 95th percentiles stand side by side. A forest of 300 trees on
these numbers, cross-validated five-fold on equally many of both, is told to tell real from simulated: the area under
its ROC curve is 0.5 where it cannot, 1 where it always can.

Figures: the distributions of both; contact sheets of the real and of the simulated ones, to be looked at.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from metalight.simulation import SurveyDesign, simulate_survey

SIDE = 128
PERCENTILES = (5, 16, 50, 84, 95)
_SKY_RADIUS, _LIGHT_RADIUS = 56.0, 54.0
_CENTRE_RADIUS = 12.0
_CORNER, _MOST_LAG = 24, 14

MEASURES = {
    "light_radius_px": "radius of 90 % of the light within 54 px",
    "half_lag_px": "half-lag of the noise of i in the corners, px",
    "sky_noise": "noise of the sky, levels from 0 to 1",
    "sky_level": "level of the sky",
    "central_level": "mean level within 12 px",
    "g_minus_r": "g − r of the levels within 12 px, mag",
    "r_minus_i": "r − i of the levels within 12 px, mag",
    "concentration": "radius of 50 % over that of 90 % of the light",
    "axis_ratio": "axis ratio of the light",
    "outer_light": "light beyond 40 px over that within",
}

_Floats = npt.NDArray[np.float64]


def _make_radii() -> _Floats:
    places = np.arange(SIDE) - (SIDE - 1) / 2
    return np.hypot(places, places[:, None])


def measure_image(levels: npt.NDArray[np.uint8]) -> dict[str, float]:
    """The numbers of `MEASURES` of one image (128, 128, 3)."""
    image = levels / 255.0
    radius = _make_radii()
    is_sky = radius > _SKY_RADIUS
    sky = np.median(image[is_sky], axis=0)
    grey = image.mean(axis=2)
    above = grey - np.median(grey[is_sky])
    order = np.argsort(radius, axis=None, kind="stable")
    light = np.where(radius < _LIGHT_RADIUS, above, 0).ravel()[order]
    growth = np.maximum.accumulate(np.cumsum(light))
    of_half, of_most = (radius.ravel()[order][np.searchsorted(growth, part * growth[-1])] for part in (0.5, 0.9))
    centre = np.maximum((image - sky)[radius < _CENTRE_RADIUS].mean(axis=0), 1e-3)
    core = np.where((radius < 40) & (above > 0.1 * above[radius < 5].mean()), above, 0)
    rows, columns = np.indices(grey.shape)
    middle = [(core * axis).sum() / core.sum() for axis in (rows, columns)]
    down, right = rows - middle[0], columns - middle[1]
    moments = [[(core * a * b).sum() / core.sum() for a in (down, right)] for b in (down, right)]
    smallest, largest = np.linalg.eigvalsh(moments)
    return {
        "light_radius_px": float(of_most),
        "half_lag_px": _measure_half_lag(image[..., 0]),
        "sky_noise": float(1.4826 * np.median(np.abs(above[is_sky]))),
        "sky_level": float(grey[is_sky].mean()),
        "central_level": float(centre.mean()),
        "g_minus_r": float(-2.5 * np.log10(centre[2] / centre[1])),
        "r_minus_i": float(-2.5 * np.log10(centre[1] / centre[0])),
        "concentration": float(of_half / of_most),
        "axis_ratio": float(np.sqrt(smallest / largest)),
        "outer_light": float(np.clip(above[radius > 40].sum() / above[radius <= 40].sum(), -1, 3)),
    }


def _measure_half_lag(image: _Floats) -> float:
    """Lag in px at which the noise of the four corners, along rows and columns, is half as correlated as at none."""
    sizes = (slice(None, _CORNER), slice(-_CORNER, None))
    curves = []
    for rows in sizes:
        for columns in sizes:
            corner = image[rows, columns] - image[rows, columns].mean()
            power = np.abs(np.fft.fft2(corner, (2 * _CORNER, 2 * _CORNER))) ** 2
            pairs = np.abs(np.fft.fft2(np.ones((_CORNER, _CORNER)), (2 * _CORNER, 2 * _CORNER))) ** 2
            correlation = np.fft.ifft2(power).real / np.maximum(np.fft.ifft2(pairs).real, 1e-9)
            if correlation[0, 0] > 0:
                curves.append((correlation[0, :_MOST_LAG] + correlation[:_MOST_LAG, 0]) / 2 / correlation[0, 0])
    if not curves:
        return float("nan")
    curve = np.mean(curves, axis=0)
    first = int(np.argmax(curve < 0.5))
    return float("nan") if first == 0 else first - 1 + (curve[first - 1] - 0.5) / (curve[first - 1] - curve[first])


def load_images(folder: Path, num: int) -> npt.NDArray[np.uint8]:
    """The first images of a folder, (galaxy, 128, 128, 3)."""
    paths = sorted(folder.glob("*.jpg"))[:num]
    return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])


def measure_images(images: npt.NDArray[np.uint8]) -> dict[str, _Floats]:
    """Each measure of each image."""
    rows = [measure_image(image) for image in images]
    return {name: np.array([row[name] for row in rows]) for name in MEASURES}


def tell_apart(real: dict[str, _Floats], simulated: dict[str, _Floats]) -> tuple[float, dict[str, float]]:
    """The area under the ROC curve of a forest, and of each number alone (above 0.5 whichever way)."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    num = min(len(real["sky_noise"]), len(simulated["sky_noise"]))
    features = np.nan_to_num(
        np.concatenate([np.stack([own[name][:num] for name in MEASURES], axis=1) for own in (real, simulated)])
    )
    is_simulated = np.repeat([0, 1], num)
    forest = RandomForestClassifier(300, min_samples_leaf=5, random_state=0, n_jobs=2)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    told = cross_val_predict(forest, features, is_simulated, cv=folds, method="predict_proba")[:, 1]
    alone = {name: roc_auc_score(is_simulated, features[:, column]) for column, name in enumerate(MEASURES)}
    return float(roc_auc_score(is_simulated, told)), {name: max(area, 1 - area) for name, area in alone.items()}


def draw_distributions(real: dict[str, _Floats], simulated: dict[str, _Floats], path: Path) -> None:
    """A panel a measure, both as lines."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 5, figsize=(15, 5.6), layout="constrained")
    for (name, description), panel in zip(MEASURES.items(), axes.flat, strict=True):
        both = np.concatenate([real[name], simulated[name]])
        edges = np.linspace(*np.nanpercentile(both, [0.5, 99.5]), 26)
        for own, label, style in ((real, "real", "-"), (simulated, "simulated", "--")):
            panel.hist(own[name], edges, density=True, histtype="step", linestyle=style, linewidth=1.6, label=label)
        panel.set_xlabel(description, fontsize=8)
        panel.set_yticks([])
    axes.flat[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_contact_sheet(images: npt.NDArray[np.uint8], path: Path) -> None:
    """The first 60 images, ten in a row."""
    rows = [np.concatenate(list(images[first : first + 10]), axis=1) for first in range(0, 60, 10)]
    Image.fromarray(np.concatenate(rows, axis=0)).save(path)


def main() -> None:
    """Measure both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path, help="folder of real images")
    parser.add_argument("--galaxies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="folder for figures and numbers")
    arguments = parser.parse_args()
    real_images = load_images(arguments.real, 10**6)
    with tempfile.TemporaryDirectory() as folder:
        simulate_survey(arguments.galaxies, Path(folder), SurveyDesign(seed=arguments.seed))
        simulated_images = load_images(Path(folder) / "images", arguments.galaxies)
    real, simulated = measure_images(real_images), measure_images(simulated_images)
    print(f"{'channels i, r, g':<52}{'real':>24}{'simulated':>30}")
    for what, compute in (("mean", np.mean), ("standard deviation", np.std)):
        numbers = [compute(own / 255, axis=(0, 1, 2)) for own in (real_images, simulated_images)]
        print(f"{what:<52}" + "      ".join(" ".join(f"{number:7.4f}" for number in own) for own in numbers))
    print(f"\n{'percentiles ' + ' '.join(map(str, PERCENTILES)):<52}{'real':>35}{'simulated':>40}")
    for name, description in MEASURES.items():
        both = [np.nanpercentile(own[name], PERCENTILES) for own in (real, simulated)]
        inside = both[0][1] <= both[1][2] <= both[0][3]
        numbers = "     ".join(" ".join(f"{number:6.3f}" for number in own) for own in both)
        print(f"{description:<52}{numbers}{'' if inside else '   median outside'}")
    area, alone = tell_apart(real, simulated)
    print(f"\nTold apart by a forest on these numbers: AUC {area:.3f}; by one number: ", end="")
    print(", ".join(f"{name} {own:.2f}" for name, own in sorted(alone.items(), key=lambda item: -item[1])[:4]))
    if arguments.output is not None:
        arguments.output.mkdir(parents=True, exist_ok=True)
        draw_distributions(real, simulated, arguments.output / "realism.png")
        draw_contact_sheet(real_images, arguments.output / "real.png")
        draw_contact_sheet(simulated_images, arguments.output / "simulated.png")
        medians = {name: [float(np.nanmedian(own[name])) for own in (real, simulated)] for name in MEASURES}
        (arguments.output / "realism.json").write_text(json.dumps({"auc": area, "medians": medians}, indent=1))


if __name__ == "__main__":
    main()
