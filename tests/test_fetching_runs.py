"""Promises of runs that fetch their images from a service: the same model as from a folder, and nothing asked twice."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from call import QUICK, list_performed, refuse, refuse_run, run, succeed
from cutout_server import FAULTS, CutoutServer, Handler, picture_of, serve_cutouts
from metalight.pipeline.cutouts_stage import CUTOUTS_STAGE
from metalight.recipe import load_recipe
from metalight.simulation import SurveyDesign, simulate_survey
from metalight.stand_in import serve

_FETCHING = """
catalog.object_id = "objID"
catalog.targets = ["oh_p50"]
[cutouts]
service = "skyserver"
side = 64
[skyserver]
base_url = "URL"
[network]
requests_per_second = 0
first_wait_s = 0
tries = 2
"""


@pytest.fixture
def service() -> Iterator[CutoutServer]:
    with serve_cutouts() as server:
        yield server


def make_catalog(folder: Path, number: int = 40) -> pd.DataFrame:
    random = np.random.default_rng(1)
    catalog = pd.DataFrame(
        {
            "objID": 1_237_648_720_693_755_918 + np.arange(number),
            "ra": np.arange(number) / 1000,
            "dec": 0.25,
            "petroR90_r": random.uniform(2, 8, number),
            "oh_p50": random.normal(8.9, 0.2, number),
        }
    )
    catalog.to_csv(folder / "catalog.csv", index=False)
    return catalog


@pytest.fixture
def sky(tmp_path: Path, service: CutoutServer) -> Path:
    """A folder with catalog.csv and recipe.toml; its run goes to run/."""
    make_catalog(tmp_path)
    (tmp_path / "recipe.toml").write_text(write_recipe(service.url))
    return tmp_path


def write_recipe(url: str) -> str:
    plain = "\n".join(line for line in QUICK.splitlines() if not line.startswith("cutouts."))
    return f"{plain}\n{_FETCHING.replace('URL', url)}"


def test_a_run_that_fetches_ends_as_one_from_a_folder_of_the_same_images(
    sky: Path, service: CutoutServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    output = run(sky)
    assert "Ahead: 40 cutouts from SkyServer, about 2 s and 1 MiB of disk" in output
    assert "40 of 40 have an image of SkyServer; 40 fetched now with 40 requests" in output
    catalog = pd.read_csv(sky / "catalog.csv")
    asked = sorted(float(query["scale"]) for query in service.requests)
    assert asked == pytest.approx(sorted(2 / 0.396 / 64 * catalog["petroR90_r"]), abs=1e-7)

    folder = tmp_path_factory.mktemp("folder")
    (folder / "images").mkdir()
    for object_id, ra_deg in zip(catalog["objID"].tolist(), catalog["ra"].tolist(), strict=True):
        (folder / "images" / f"{object_id}.jpg").write_bytes(picture_of(ra_deg, 64))
    catalog.to_csv(folder / "catalog.csv", index=False)
    settings = 'catalog.object_id = "objID"\ncatalog.targets = ["oh_p50"]\ncutouts.source = "sdss"\n'
    (folder / "recipe.toml").write_text(QUICK + settings)
    run(folder)
    for name in ("pixels/pixels.npy", "predictions/test.parquet"):
        assert (sky / "run" / name).read_bytes() == (folder / "run" / name).read_bytes()


def test_a_finished_download_is_not_begun_again(sky: Path, service: CutoutServer) -> None:
    run(sky)
    num_requests = len(service.requests)
    assert "nothing was done" in run(sky)
    # Neither for another release, nor where the service has moved.
    moved = ("--set", "skyserver.release=dr16", "--set", "skyserver.base_url=http://127.0.0.1:9")
    assert list_performed(run(sky, *moved)) == []
    # Rerun, it finds all that is there.
    assert "40 of 40" in run(sky, "--only", "cutouts", *moved)
    assert len(service.requests) == num_requests


def test_images_that_a_run_has_fetched_are_predicted_decoded_or_not(sky: Path) -> None:
    run(sky)

    def predict(images: Path, *arguments: object) -> pd.DataFrame:
        succeed("predict", sky / "run", "--images", images, "-o", sky / "out.csv", "--views", "none", *arguments)
        return pd.read_csv(sky / "out.csv")

    of_pixels = predict(sky / "run")
    pd.testing.assert_frame_equal(predict(sky / "run/cutouts"), of_pixels)
    # Nor need the images of a run be decoded, nor at the side of the model.
    fresh = ["run", sky / "recipe.toml", "--run-dir", sky / "fetched", "--set", "pixels.side=8", "--only"]
    for stage in ("catalog", "cutouts"):
        succeed(*fresh, stage)
    pd.testing.assert_frame_equal(predict(sky / "fetched"), of_pixels)
    some = of_pixels["object_id"].iloc[[7, 3]].tolist()
    pd.DataFrame({"object_id": [some[0], 5, some[1]]}).to_csv(sky / "some.csv", index=False)
    chosen = predict(sky / "fetched/cutouts", "--catalog", sky / "some.csv")
    expected = of_pixels.set_index("object_id").loc[some].reset_index()[chosen.columns]
    pd.testing.assert_frame_equal(chosen, expected, rtol=1e-5)
    refused = pd.read_csv(sky / "out.csv.refused.csv")
    assert refused[["object_id", "reason"]].to_numpy().tolist() == [[5, "is none of the run's galaxies"]]


def test_images_that_a_run_has_fetched_are_refused_as_those_of_a_folder_are(sky: Path) -> None:
    run(sky)
    fresh = ["run", sky / "recipe.toml", "--run-dir", sky / "other", "--set", "cutouts.framing=fixed", "--only"]
    for stage in ("catalog", "cutouts"):
        succeed(*fresh, stage)
    arguments = ["predict", sky / "run", "-o", sky / "out.csv", "--images"]
    for images in (sky / "other", sky / "other/cutouts"):
        assert "the framing 'fixed', but the model was trained on 'petrosian'" in refuse(*arguments, images)
    pd.DataFrame({"object_id": [5]}).to_csv(sky / "some.csv", index=False)
    message = refuse(*arguments, sky / "run/cutouts", "--catalog", sky / "some.csv")
    assert "None of the 1 galaxies to predict has an image in the run" in message


def test_images_are_decoded_anew_from_what_was_fetched(sky: Path, service: CutoutServer) -> None:
    run(sky, "--only", "catalog")
    run(sky, "--only", "cutouts")
    run(sky, "--only", "pixels", "--set", "pixels.side=8")
    assert len(service.requests) == 40


def test_who_is_refused_is_listed_with_the_reason_and_asked_again_only_when_wanted(
    sky: Path, service: CutoutServer
) -> None:
    catalog = pd.read_csv(sky / "catalog.csv")
    catalog.loc[5, "petroR90_r"] = np.nan
    catalog.to_csv(sky / "catalog.csv", index=False)
    is_broken = True

    def fail(handler: Handler, times: int) -> bool:
        return is_broken and handler.query["ra"] == "0.007000000" and FAULTS["500"](handler)

    service.fault = fail
    output = run(sky)
    assert "38 of 40 have an image of SkyServer" in output
    assert "2 refused" in output
    refused = pd.read_csv(sky / "run" / "refused" / "cutouts.csv")
    assert refused["object_id"].tolist() == catalog["objID"][[5, 7]].tolist()
    assert refused["kind"].tolist() == ["no_size", "service_error"]
    num_requests = len(service.requests)
    assert list_performed(run(sky)) == []
    assert len(service.requests) == num_requests
    is_broken = False
    again = run(sky, "--set", "cutouts.retry_refused=true")
    assert "39 of 40 have an image of SkyServer; 1 fetched now with 1 requests" in again
    assert list_performed(run(sky, "--set", "cutouts.retry_refused=true")) == []


def test_a_run_against_a_dead_service_ends_with_a_sentence_and_goes_on_later(sky: Path, service: CutoutServer) -> None:
    service.fault = lambda handler, times: FAULTS["429"](handler)
    assert "SkyServer gave nothing that can be used" in refuse_run(sky)
    service.fault = lambda handler, times: False
    assert "40 fetched now" in run(sky)


def test_the_petrosian_framing_needs_a_radius(sky: Path) -> None:
    catalog = pd.read_csv(sky / "catalog.csv").drop(columns="petroR90_r")
    catalog.to_csv(sky / "catalog.csv", index=False)
    assert "[catalog] petro_r90" in refuse_run(sky, status=2)
    assert "40 of 40" in run(sky, "--set", "cutouts.framing=fixed")


@pytest.mark.parametrize("needed", ["service=archive,archive=pictures.tar", "side=32"])
def test_a_folder_that_is_named_wins_over_a_service_and_what_that_needs(
    sky: Path, needed: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("images")
    for object_id in pd.read_csv(sky / "catalog.csv")["objID"].tolist():
        (folder / f"{object_id}.jpg").write_bytes(picture_of(0.0, 64))
    settings = [f"cutouts.{setting}" for setting in (f"folder={folder}", *needed.split(","))]
    words = [word for setting in settings for word in ("--set", setting)]
    run(sky, "--only", "catalog", *words)
    assert "40 of 40 have an image" in run(sky, "--only", "cutouts", *words)
    recipe = load_recipe(str(sky / "recipe.toml"), settings)
    before = CUTOUTS_STAGE.inputs(recipe)
    next(folder.iterdir()).unlink()
    assert CUTOUTS_STAGE.inputs(recipe) != before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["cutouts.side=32"], "64 to 2048 px"),
        (["skyserver.release=dr13"], "dr14"),
        (["skyserver.base_url=skyserver.sdss.org"], "must be like https://"),
        (["cutouts.base_url=https://skyserver.sdss.org"], "[skyserver] base_url"),
        (["cutouts.service=legacy", "cutouts.base_url=legacysurvey.org"], "not an address"),
        (["cutouts.framing=other"], "set frame_arcsec"),
        (["cutouts.frame_arcsec=10"], "for framing"),
        (["cutouts.service=skyservre"], "skyserver"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_asked(
    sky: Path, service: CutoutServer, settings: list[str], words: str
) -> None:
    arguments = [word for setting in settings for word in ("--set", setting)]
    assert words in refuse_run(sky, *arguments, status=2)
    assert service.requests == []


_SHORT_PAPER = (
    *("cutouts.side=64", "pixels.side=64", "model.weights=none", "model.target_scaling=standard"),
    *("training.frozen_epochs=1", "training.constant_epochs=0", "training.cycles=1", "training.precision=float32"),
    *("skyserver.queries_per_minute=0", "network.requests_per_second=0", "evaluation.bootstrap_samples=20"),
)


def test_the_preset_of_the_paper_goes_from_the_query_to_the_figures_with_a_limit(tmp_path: Path) -> None:
    simulate_survey(60, tmp_path / "survey", SurveyDesign(seed=3, side=64), num_processes=1)
    with serve(tmp_path / "survey") as service:
        settings = (*_SHORT_PAPER, f"skyserver.base_url={service.url}")
        arguments = [word for setting in settings for word in ("--set", setting)]
        output = succeed("run", "paper", "--limit", 50, "--run-dir", tmp_path / "run", *arguments)
        # Every cutout is the survey's own file: framing and size are those of the paper.
        assert service.counts["stored"] == 49
        assert "drawn" not in service.counts
    # Of two spectra of one galaxy, the better one is taken.
    assert "49 of 65 galaxies pass the cuts and have oh_p50; one other spectrum of them; label no" in output
    assert "49 of 49 have an image of SkyServer" in output
    stages = [
        "catalog",
        "cutouts",
        "pixels",
        "splits",
        "baselines",
        "training",
        "prediction",
        "evaluation",
        "figures",
        "results",
    ]
    assert list_performed(output) == stages
    cuts = pd.read_csv(tmp_path / "run/cuts.csv")["num_left"].tolist()
    assert cuts == sorted(cuts, reverse=True)
    assert (cuts[0], cuts[-1]) == (65, 49)
    assert len(pd.read_parquet(tmp_path / "run/predictions/test.parquet")) == 10
    for figure in ("prediction_summary", "example_grid", "training_history"):
        assert (tmp_path / f"run/figures/{figure}.png").stat().st_size > 10_000
