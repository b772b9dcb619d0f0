"""Whether the simulated survey teaches what the sky does: the errors of cheap models from one pixel to 128.

    pip install -e '.[benchmarks]'
    python benchmarks/ladder.py [--galaxies 24000] [--seed 1] [--epochs 10] [--only 1 2 4 ...] [-o FOLDER]

On the real sample the error of a prediction falls from the mean colour of an image to its full 128 pixels, and the
magnitudes and the mass have their places between. The same is asked of simulated galaxies, three quarters of them to
learn from, a quarter to be told:

- a forest of 300 trees on the pixels of images resampled to 1, 2 and 4 pixels on a side, and on the magnitudes g, r, i;
- the mass of the catalogue through the median relation of Tremonti et al. (2004), as in the paper's section 5;
- a small residual network, from random weights, on images of 8 to 128 pixels, its answers averaged over eight views.

Each error is in units of the spread of the labels, beside the real one (the paper and the authors' published
predictions; forests by the authors' settings), with a 95 % interval by bootstrap. No setting was chosen on the galaxies
that are told. A survey in FOLDER is used again, and each result is kept as soon as it is there.
"""

import argparse
import itertools
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image
from torch import nn

from metalight.atomic import save_json
from metalight.images import resize_area
from metalight.progress import no_progress
from metalight.simulation import SurveyDesign, simulate_survey
from metalight.simulation.relations import compute_mass_metallicity

REAL = {
    "1": 0.80,
    "2": 0.79,
    "gri": 0.65,
    "4": 0.64,
    "mass": 0.59,
    "8": 0.56,
    "16": 0.53,
    "32": 0.46,
    "64": 0.45,
    "128": 0.43,
}
"""RMSE over spread of the labels, in the order of the real sample."""

TOLERANCE = 0.2
_TOLD = 0.25
_BATCH, _RATE, _DECAY = 64, 3e-3, 0.02
_WIDTHS = (24, 32, 64, 128, 192)

_Floats = npt.NDArray[np.float64]
_Images = npt.NDArray[np.uint8]


class _Block(nn.Module):
    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(num_in, num_out, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(num_out, num_out, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(num_out), nn.BatchNorm2d(num_out)])
        self.bypass = nn.Conv2d(num_in, num_out, 1, bias=False) if num_in != num_out else nn.Identity()
        self.pool = nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        inside = torch.relu(self.norms[0](self.first(images)))
        return torch.relu(self.norms[1](self.second(inside)) + self.bypass(self.pool(images)))


def make_network() -> nn.Module:
    """One network for every size of image, as in the paper: small images leave it fewer pixels early on."""
    stem = nn.Conv2d(3, _WIDTHS[0], 5, 2, 2, bias=False)
    blocks = [_Block(before, after, 2) for before, after in itertools.pairwise(_WIDTHS)]
    blocks.insert(1, _Block(_WIDTHS[1], _WIDTHS[1], 1))
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(_WIDTHS[-1], 1)]
    return nn.Sequential(stem, nn.BatchNorm2d(_WIDTHS[0]), nn.ReLU(), *blocks, *head)


def _turn(images: torch.Tensor, view: int) -> torch.Tensor:
    turned = torch.rot90(images, view % 4, (2, 3))
    return turned.flip(3) if view >= 4 else turned


def predict_by_network(images: _Images, labels: _Floats, is_told: npt.NDArray[np.bool_], epochs: int) -> _Floats:
    """What a small network predicts for the galaxies that are told."""
    torch.manual_seed(0)
    learned = torch.from_numpy(images[~is_told]).permute(0, 3, 1, 2)
    values = torch.from_numpy(((labels - labels[~is_told].mean()) / labels[~is_told].std()).astype(np.float32))
    wanted = values[torch.from_numpy(~is_told)]
    some = learned[:2000].float()
    mean, spread = some.mean((0, 2, 3), keepdim=True), some.std((0, 2, 3), keepdim=True)
    network = make_network().to(memory_format=torch.channels_last)
    num_steps = epochs * (len(learned) // _BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, num_steps, pct_start=0.2)
    for _ in range(epochs):
        order = torch.randperm(len(learned))
        for start in range(0, len(learned) - _BATCH + 1, _BATCH):
            rows = order[start : start + _BATCH]
            batch = _turn((learned[rows].float() - mean) / spread, int(torch.randint(8, ())))
            with torch.autocast("cpu", torch.bfloat16):
                predicted = network(batch.contiguous(memory_format=torch.channels_last))[:, 0]
            loss = (predicted.float() - wanted[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    told = torch.from_numpy(images[is_told]).permute(0, 3, 1, 2)
    answers = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(told), 256):
            batch = (told[start : start + 256].float() - mean) / spread
            answers.append(torch.stack([network(_turn(batch, view))[:, 0].float() for view in range(8)]).mean(0))
    return np.asarray(labels[~is_told].mean() + labels[~is_told].std() * torch.cat(answers).double().numpy())


def predict_by_forest(features: _Floats, labels: _Floats, is_told: npt.NDArray[np.bool_]) -> _Floats:
    """What a forest predicts for the galaxies that are told."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(300, min_samples_leaf=3, max_features=1 / 3, random_state=0, n_jobs=-1)
    return np.asarray(forest.fit(features[~is_told], labels[~is_told]).predict(features[is_told]))


def _decode(path: Path) -> _Images:
    return np.asarray(Image.open(path).convert("RGB"))


def load_images(folder: Path, object_ids: list[str]) -> _Images:
    """(galaxy, 128, 128, 3)"""
    with ProcessPoolExecutor() as pool:
        return np.stack(list(pool.map(_decode, [folder / f"{name}.jpg" for name in object_ids], chunksize=256)))


def find_interval(residuals: _Floats, spread: float) -> list[float]:
    """95 % of the bootstrap of the RMSE over `spread`."""
    generator = np.random.default_rng(0)
    squares = residuals**2
    drawn = [np.sqrt(generator.choice(squares, len(squares)).mean()) for _ in range(1000)]
    return [float(value / spread) for value in np.percentile(drawn, [2.5, 97.5])]


def main() -> None:
    """Climb the ladder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=24000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--only", nargs="*", choices=list(REAL), default=list(REAL))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        climb(options, options.output or Path(temporary))


def climb(options: argparse.Namespace, folder: Path) -> None:
    """Make the survey, then each rung; print the table."""
    simulate_survey(options.galaxies, folder / "survey", SurveyDesign(seed=options.seed), progress=no_progress)
    catalog = pd.read_csv(folder / "survey" / "catalog.csv", dtype={"objID": str})
    labels = catalog["oh_p50"].to_numpy(float)
    is_told = np.arange(len(labels)) >= (1 - _TOLD) * len(labels)
    images = load_images(folder / "survey" / "images", catalog["objID"].tolist())
    spread = float(labels[is_told].std())
    path = folder / f"ladder-{options.epochs}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for rung in options.only:
        if rung in results:
            continue
        if rung == "mass":
            predicted = compute_mass_metallicity(catalog["lgm_tot_p50"].to_numpy(float)[is_told])
        elif rung == "gri":
            magnitudes = catalog[["modelMag_g", "modelMag_r", "modelMag_i"]].to_numpy(float)
            predicted = predict_by_forest(magnitudes, labels, is_told)
        else:
            side = int(rung)
            small = images if side == images.shape[1] else np.stack([resize_area(image, side) for image in images])
            if side <= 4:
                predicted = predict_by_forest(small.reshape(len(small), -1).astype(float), labels, is_told)
            else:
                predicted = predict_by_network(small, labels, is_told, options.epochs)
        residuals = predicted - labels[is_told]
        results[rung] = [float(np.sqrt((residuals**2).mean()) / spread), *find_interval(residuals, spread)]
        save_json(results, path)
        print(rung, results[rung], flush=True)
    print_table(results)
    draw_ladder(results, folder / "ladder.png")


def draw_ladder(results: dict[str, list[float]], path: Path) -> None:
    """Real and simulated errors, a rung beside the other."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rungs = [rung for rung in REAL if rung in results]
    places = np.arange(len(rungs))
    real = np.array([REAL[rung] for rung in rungs])
    simulated, low, high = np.array([results[rung] for rung in rungs]).T
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    axes.fill_between(
        places, (1 - TOLERANCE) * real, (1 + TOLERANCE) * real, color="0.9", label=f"real ± {100 * TOLERANCE:.0f} %"
    )
    axes.plot(places, real, "o-", color="0.4", label="real")
    axes.errorbar(places, simulated, [simulated - low, high - simulated], fmt="s--", color="C3", label="simulated")
    names = {"gri": "g, r, i", "mass": "mass"}
    axes.set_xticks(places, [names.get(rung, f"{rung} px") for rung in rungs])
    axes.set_ylabel("RMSE / spread of the labels")
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, ncols=3, loc="lower left")
    figure.savefig(path, dpi=150)


def print_table(results: dict[str, list[float]]) -> None:
    """A row a rung, and whether the order and the tolerance hold."""
    print(f"{'rung':>6s}  {'real':>5s}  {'simulated':>9s}  {'95 %':>12s}  {'ratio':>5s}")
    before = np.inf
    for rung, real in REAL.items():
        if rung not in results:
            continue
        ratio, low, high = results[rung]
        notes = [] if abs(ratio / real - 1) <= TOLERANCE else ["beyond 20 %"]
        notes += [] if ratio < before else ["out of order"]
        before = ratio
        print(f"{rung:>6s}  {real:5.2f}  {ratio:9.3f}  {low:.3f}–{high:.3f}  {ratio / real:5.2f}  {', '.join(notes)}")


if __name__ == "__main__":
    main()
