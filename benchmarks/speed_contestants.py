"""What is timed against what: the same network, galaxies and batches, by metalight, by plain PyTorch and by fastai.

Run as a program, it is one contestant: for every line on its standard input it does one round, and prints the
images a second and its largest resident memory in MiB. `speed.py` starts the contestants and gives them their turns.

Each makes its own network, with the same random weights, in the recipe `paper` (ResNet-34, 128 × 128 pixels). One view
of each galaxy is learnt from, so that no time goes into augmentation, which the three do differently.
"""

import gc
import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

BATCH = 64
NUM_STEPS = 5
"""Timed steps of a round of training; one more goes before them."""
NUM_GALAXIES = 2 * BATCH
"""Predicted in a round."""
NUM_FILES = 400
"""Decoded in a round."""
_SYMMETRIES = 8

Round = Callable[[], float]
"""Does one round, and gives the images a second."""


def make_galaxies(num: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Images (galaxy, 128, 128, 3) and labels (galaxy, 1); what they show does not matter for the time."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (num, 128, 128, 3), dtype=np.uint8), generator.normal(8.9, 0.2, (num, 1))


def _make_settings() -> tuple[Any, Any]:
    from metalight.recipe import load_recipe

    one_epoch = ("frozen_epochs=0", "constant_epochs=1", "cycles=0", f"batch_size={BATCH}", "augmented_views=0")
    changes = [f"training.{setting}" for setting in one_epoch]
    recipe = load_recipe("paper", [*changes, "model.weights=none", "model.target_scaling=standard"])
    return recipe.model, recipe.training


def _build_network() -> Any:
    import torch

    from metalight.model import build_network

    torch.manual_seed(0)
    return build_network(_make_settings()[0], 1)


def _rate(times: list[float]) -> float:
    """Images a second from the ends of consecutive steps."""
    return BATCH * (len(times) - 1) / (times[-1] - times[0])


def train_with_metalight() -> Round:
    import torch

    from metalight.training import TrainingData, fit_network

    pixels, labels = make_galaxies(BATCH * (NUM_STEPS + 1))
    rows = np.arange(len(pixels))
    data = TrainingData(rows, labels, pixels, rows)
    model_settings, settings = _make_settings()

    def do_round() -> float:
        times: list[float] = []

        @contextmanager
        def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
            yield lambda steps: times.append(time.perf_counter())

        fit_network(data, None, model_settings, settings, device=torch.device("cpu"), progress=progress)
        gc.collect()  # a run fits once: what a fit leaves behind is not to count in the memory of the next
        return _rate(times)

    return do_round


def train_with_torch() -> Round:
    import torch
    from torch.nn import functional

    pixels, labels = make_galaxies(BATCH * (NUM_STEPS + 1))
    targets = torch.from_numpy((labels - labels.mean()) / labels.std()).float()
    network = _build_network().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)

    def do_round() -> float:
        times = []
        for first in range(0, len(pixels), BATCH):
            batch = slice(first, first + BATCH)
            images = torch.from_numpy(pixels[batch]).permute(0, 3, 1, 2).float() / 255
            loss = functional.mse_loss(network(images), targets[batch]).sqrt()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            times.append(time.perf_counter())
        return _rate(times)

    return do_round


def _build_learner(num: int) -> Any:
    import torch
    from fastai.callback.progress import ProgressCallback
    from fastai.data.core import Datasets
    from fastai.learner import Learner
    from fastai.optimizer import SGD
    from fastai.torch_core import TensorImage
    from torch.nn import functional

    pixels, labels = make_galaxies(num)
    targets = ((labels - labels.mean()) / labels.std()).astype(np.float32)

    def get_image(row: int) -> Any:
        return TensorImage(torch.from_numpy(pixels[row]).permute(2, 0, 1).float() / 255)

    datasets = Datasets(
        range(num), [[get_image], [lambda row: torch.from_numpy(targets[row])]], splits=[range(num)] * 2
    )
    loaders = datasets.dataloaders(bs=BATCH, num_workers=0)

    def loss(predicted: Any, wanted: Any) -> Any:
        return functional.mse_loss(predicted, wanted).sqrt()

    learner = Learner(loaders, _build_network(), loss_func=loss, opt_func=SGD)
    learner.remove_cbs(ProgressCallback)  # bars would only slow it down
    return learner


def train_with_fastai() -> Round:
    from fastai.callback.core import Callback, CancelValidException

    class Clock(Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.times: list[float] = []

        def after_batch(self) -> None:
            if self.training:
                self.times.append(time.perf_counter())

        def before_validate(self) -> None:
            raise CancelValidException

    learner = _build_learner(BATCH * (NUM_STEPS + 1))

    def do_round() -> float:
        clock = Clock()
        with learner.no_logging():
            learner.fit(1, 0.001, cbs=clock)
        return _rate(clock.times)

    return do_round


def predict_with_metalight(views: Any, precision: Any) -> Round:
    import torch

    from metalight.model import SavedModel, choose_precision
    from metalight.model_files import ImageDescription, ModelConfig, TargetDescription, TrainingSummary
    from metalight.prediction import open_predictor

    model_settings, settings = _make_settings()
    config = ModelConfig(
        **model_settings.model_dump(include={"backbone", "hidden_features", "dropout"}),
        images=ImageDescription(side=128, framing="petrosian", source="simulated"),
        targets=(TargetDescription(name="oh_p50", unit="dex", description="", mean=8.9, scale=0.2),),
        augmentation=settings.augmentation,
        training=TrainingSummary(
            **{"num_galaxies": 1, "num_validation": 0, "epochs": 1, "seed": 0, "precision": "float32"},
            **{"optimizer": "sgd", "loss": "rmse", "starting_weights": "none", "validation_rmse": {}, "versions": {}},
        ),
    )
    model = SavedModel(_build_network().eval(), config)
    pixels, _ = make_galaxies(NUM_GALAXIES)
    rows = np.arange(NUM_GALAXIES)
    device = torch.device("cpu")
    chosen = choose_precision(precision, device)
    opened = open_predictor(model, device=device, precision=chosen, batch_size=BATCH)
    predictor = opened.__enter__()

    def do_round(opened: Any = opened) -> float:  # which stays open until the process ends
        started = time.perf_counter()
        predictor.predict(pixels, rows, rows, views=views)
        return NUM_GALAXIES / (time.perf_counter() - started)

    return do_round


def predict_with_torch(num_views: int) -> Round:
    import torch

    pixels, _ = make_galaxies(NUM_GALAXIES)
    network = _build_network().eval()

    def view(images: Any, symmetry: int) -> Any:
        turned = torch.rot90(images, symmetry % 4, dims=(-2, -1))
        return turned.flip(-1) if symmetry >= 4 else turned

    def do_round() -> float:
        started = time.perf_counter()
        with torch.no_grad():
            for first in range(0, NUM_GALAXIES, BATCH):
                images = torch.from_numpy(pixels[first : first + BATCH]).permute(0, 3, 1, 2).float() / 255
                torch.stack([network(view(images, symmetry)) for symmetry in range(num_views)]).mean(dim=0).numpy()
        return NUM_GALAXIES / (time.perf_counter() - started)

    return do_round


def predict_with_fastai(num_views: int) -> Round:
    from fastai.vision.augment import Dihedral

    learner = _build_learner(NUM_GALAXIES)

    def do_round() -> float:
        started = time.perf_counter()
        with learner.no_logging():
            if num_views == 1:
                learner.get_preds(ds_idx=1)
            else:  # one pass over the images as they are, and the others over their symmetries
                learner.tta(ds_idx=1, n=num_views - 1, batch_tfms=[Dihedral()], beta=None)
        return NUM_GALAXIES / (time.perf_counter() - started)

    return do_round


def _make_files() -> list[bytes]:
    """JPEG files of 128 × 128 pixels, of simulated galaxies."""
    from metalight.simulation import SurveyDesign, simulate_survey

    with tempfile.TemporaryDirectory() as folder:
        simulate_survey(NUM_FILES, Path(folder), SurveyDesign(seed=1))
        return [path.read_bytes() for path in sorted(Path(folder).rglob("*.jpg"))]


def decode_with_metalight() -> Round:
    from metalight.images import decode_image

    return _decode_with(decode_image)


def decode_with_pillow() -> Round:
    from PIL import Image

    return _decode_with(lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def _decode_with(decode: Callable[[bytes], npt.NDArray[np.uint8]]) -> Round:
    files = _make_files()

    def do_round() -> float:
        started = time.perf_counter()
        for data in files:
            decode(data)
        return len(files) / (time.perf_counter() - started)

    return do_round


CONTESTS: dict[str, dict[str, Callable[[], Round]]] = {
    "training": {
        "metalight": train_with_metalight,
        "PyTorch, eager, float32": train_with_torch,
        "fastai": train_with_fastai,
    },
    "prediction, one view": {
        "metalight": lambda: predict_with_metalight("none", "auto"),
        "metalight, float32": lambda: predict_with_metalight("none", "float32"),
        "PyTorch, eager, float32": lambda: predict_with_torch(1),
        "fastai, get_preds": lambda: predict_with_fastai(1),
    },
    "prediction, eight views": {
        "metalight": lambda: predict_with_metalight("eight", "auto"),
        "metalight, float32": lambda: predict_with_metalight("eight", "float32"),
        "PyTorch, eager, float32": lambda: predict_with_torch(_SYMMETRIES),
        "fastai, tta": lambda: predict_with_fastai(_SYMMETRIES),
    },
    "decoding, one core": {"metalight": decode_with_metalight, "Pillow": decode_with_pillow},
}
"""By task and name; the first of each task is compared with the others."""


def main() -> None:
    """Be one contestant until the standard input ends."""
    do_round = CONTESTS[sys.argv[1]][sys.argv[2]]()
    for _ in sys.stdin:
        rate = do_round()
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{rate:.3f} {peak_mib:.1f}", flush=True)


if __name__ == "__main__":
    main()
