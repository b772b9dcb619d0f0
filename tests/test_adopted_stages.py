"""Promises of stages that a run takes up from another: whole, of the same images, and nobody's data is lost."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cutout_server import CutoutServer, serve_cutouts
from make import make_sample
from metalight.images import load_pixels
from metalight.pipeline import adopt_stages, run_recipe
from metalight.recipe import Recipe, load_recipe
from metalight.run_folder import RunFolder
from test_fetching_runs import make_catalog, write_recipe


@pytest.fixture
def service() -> Iterator[CutoutServer]:
    with serve_cutouts() as server:
        yield server


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with catalog.csv and images/."""
    make_sample(tmp_path, 12)
    return tmp_path


def of_pictures(folder: Path, *settings: str) -> Recipe:
    places = (f'catalog.path="{folder / "catalog.csv"}"', f'cutouts.folder="{folder / "images"}"')
    return load_recipe("demo", [*places, "pixels.side=16", *settings])


def of_service(folder: Path, service: CutoutServer, *settings: str) -> Recipe:
    (folder / "recipe.toml").write_text(write_recipe(service.url))
    return load_recipe(str(folder / "recipe.toml"), list(settings))


def decode(recipe: Recipe, place: Path, *donors: Path) -> np.ndarray:
    """The decoded images of a run that takes up what it can from others, by increasing identifier."""
    adopt_stages(recipe, place, donors)
    run_recipe(recipe, place, last="pixels")
    pixels = load_pixels(place / "pixels")
    return np.array(pixels.array[pixels.rows_of(np.sort(pixels.object_ids))])


def test_a_run_that_gave_its_images_to_another_does_not_lose_them_by_taking_them_back(pictures: Path) -> None:
    recipe = of_pictures(pictures)
    images = decode(recipe, pictures / "a")
    decode(recipe, pictures / "b", pictures / "a")
    # As an interrupted `--from pixels` leaves it: the images are there, and the stage is not done.
    run = RunFolder(pictures / "a")
    run.save_records({name: record for name, record in run.load_records().items() if name != "pixels"})
    np.testing.assert_array_equal(decode(recipe, pictures / "a", pictures / "b"), images)
    assert not (pictures / "a/pixels/pixels.npy").is_symlink()
    np.testing.assert_array_equal(decode(recipe, pictures / "b", pictures / "a"), images)


def test_images_at_another_size_in_their_place_are_not_taken_for_those_that_were_there(pictures: Path) -> None:
    images = decode(of_pictures(pictures), pictures / "a")
    decode(of_pictures(pictures), pictures / "b", pictures / "a")
    assert decode(of_pictures(pictures, "pixels.side=8"), pictures / "a").shape[1] == 8
    np.testing.assert_array_equal(decode(of_pictures(pictures), pictures / "b", pictures / "a"), images)


def test_of_several_frames_a_run_takes_up_the_images_of_its_own(tmp_path: Path, service: CutoutServer) -> None:
    make_catalog(tmp_path, 12)
    wide, narrow = (of_service(tmp_path, service, f'cutouts.framing="{name}"') for name in ("fixed", "petrosian"))
    at_8 = of_service(tmp_path, service, 'cutouts.framing="petrosian"', "pixels.side=8")
    a, b, c = (tmp_path / name for name in "abc")
    decode(wide, a)
    decode(narrow, b)
    alone = decode(at_8, tmp_path / "alone")
    num_asked = len(service.requests)
    np.testing.assert_array_equal(decode(at_8, c, a, b), alone)
    assert len(service.requests) == num_asked
    # One that has images of another frame keeps them, and takes no others for its own.
    adopt_stages(wide, tmp_path / "d", [])
    decode(wide, tmp_path / "d")
    np.testing.assert_array_equal(decode(at_8, tmp_path / "d", b), alone)


def test_of_what_was_taken_up_by_half_nothing_is_asked_for_again(tmp_path: Path, service: CutoutServer) -> None:
    make_catalog(tmp_path, 12)
    recipe = of_service(tmp_path, service)
    decode(recipe, tmp_path / "a")
    other = of_service(tmp_path, service, 'cutouts.framing="fixed"')
    run_recipe(other, tmp_path / "a", last="cutouts")
    num_asked = len(service.requests)
    linked: list[Path] = []
    hardlink = Path.hardlink_to

    def stop(path: Path, target: Path) -> None:
        if linked and "cutouts" in path.parts[-2]:
            raise KeyboardInterrupt
        linked.append(path)
        hardlink(path, target)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "hardlink_to", stop)
        with pytest.raises(KeyboardInterrupt):
            adopt_stages(recipe, tmp_path / "b", [tmp_path / "a"])
    decode(recipe, tmp_path / "b", tmp_path / "a")
    decode(other, tmp_path / "b", tmp_path / "a")
    assert len(service.requests) == num_asked


def test_what_is_half_taken_up_is_not_taken_for_what_was_there_before(pictures: Path) -> None:
    one, two = (of_pictures(pictures, "splits.method=random", f"splits.seed={seed}") for seed in (2, 3))
    a, b = pictures / "a", pictures / "b"
    run_recipe(one, a, last="splits")
    run_recipe(two, b, last="splits")
    sets = (a / "splits.parquet").read_bytes()
    assert len(sets) == len((b / "splits.parquet").read_bytes())  # so that their sizes do not tell
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys.modules["metalight.pipeline.adopt_stages"], "describe_changes", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            adopt_stages(two, a, [b])
    run_recipe(one, a, last="splits")
    assert (a / "splits.parquet").read_bytes() == sets


def test_a_model_that_was_taken_up_has_its_card(sample: Path) -> None:
    wanted = load_recipe(str(sample / "recipe.toml"), ["training.first_cycle_epochs=1"])
    run_recipe(wanted, sample / "a", last="evaluation")
    assert "evaluation" in adopt_stages(wanted, sample / "b", [sample / "a"])
    a, b = ((sample / name / "model/README.md") for name in "ab")
    assert a.read_bytes() == b.read_bytes()
    b.write_text("mine")  # an editor may write into the file that is there
    assert a.read_text() != "mine"
