"""Promises of whole runs on FITS files: any bands, a stretch or none, and models that are given other files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from call import QUICK, list_performed, refuse, refuse_run, run, succeed
from make import FIRST_ID, TINY, make_sample
from make_fits import make_fits_sample, make_fluxes, write_cube
from metalight.cutouts import find_cutouts
from metalight.errors import ImageError
from metalight.images import build_pixels, load_pixels, make_display
from metalight.model import augment, build_test_views, load_model, to_unit_range
from metalight.recipe import AugmentationSettings, CutoutsSettings, TrainingSettings
from metalight.training import TrainingData, fit_network
from metalight.training.normalization import measure_fluxes

UGRIZ = ("u", "g", "r", "i", "z")


def write_recipe(folder: Path, *lines: str) -> Path:
    (folder / "recipe.toml").write_text("\n".join([QUICK, *lines]))
    return folder


@pytest.fixture(scope="module")
def of_lupton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of cubes through a stretch of its own."""
    folder = tmp_path_factory.mktemp("lupton")
    make_fits_sample(folder, 40, ("i", "r", "g"))
    lines = ['cutouts.stretch = "lupton"', "cutouts.field_arcsec = 5.0", "cutouts.lupton.scale = [1.0, 1.1, 1.2]"]
    run(write_recipe(folder, *lines))
    return folder


@pytest.fixture(scope="module")
def of_fluxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a file for each of five bands, as they are."""
    folder = tmp_path_factory.mktemp("fluxes")
    make_fits_sample(folder, 40, UGRIZ, are_cubes=False)
    run(write_recipe(folder, f"cutouts.bands = {list(UGRIZ)}"))
    return folder


def test_a_run_of_stretched_cubes_records_how_and_predicts_new_files_in_the_same_way(of_lupton: Path) -> None:
    pixels = load_pixels(of_lupton / "run/pixels")
    assert pixels.array.dtype == np.uint8
    assert pixels.array.shape[1:] == (16, 16, 3)
    index = pd.read_parquet(of_lupton / "run/pixels/index.parquet")
    np.testing.assert_allclose(index["pixel_scale_arcsec"], 0.396)
    images = json.loads((of_lupton / "run/model/config.json").read_text())["images"]
    assert (images["is_fits"], images["stretch"], images["field_arcsec"]) == (True, "lupton", 5.0)
    assert images["lupton"] == {"q": 4.6, "stretch": 0.23, "minimum": [0.0], "scale": [1.0, 1.1, 1.2]}
    card = (of_lupton / "run/model/README.md").read_text()
    assert "the central 5 arcsec; fluxes mapped to levels (Lupton et al. 2004) with q = 4.6, stretch = 0.23" in card
    output = of_lupton / "predictions.csv"
    succeed("predict", of_lupton / "run", "--images", of_lupton / "images", "-o", output, "--views", "none")
    from_folder = pd.read_csv(output)["oh_p50_predicted"]
    succeed("predict", of_lupton / "run", "--images", of_lupton / "run", "-o", output, "--views", "none")
    np.testing.assert_allclose(from_folder, pd.read_csv(output)["oh_p50_predicted"], atol=1e-5)
    assert (of_lupton / "run/figures/example_grid.png").is_file()


def test_a_change_of_the_stretch_makes_pixels_and_model_anew(of_lupton: Path, tmp_path: Path) -> None:
    shutil.copytree(of_lupton, tmp_path / "copy")
    again = run(tmp_path / "copy")
    # The copy is a folder of images elsewhere, with the same names and times.
    assert "pixels" not in list_performed(again)
    assert "pixels" in list_performed(run(tmp_path / "copy", "--set", "cutouts.lupton.q=8.0"))


def test_a_run_of_a_file_for_each_of_five_bands_keeps_fluxes(of_fluxes: Path) -> None:
    fluxes, _ = make_fluxes(40, 16, 5)
    pixels = load_pixels(of_fluxes / "run/pixels")
    assert pixels.array.dtype == np.float32
    np.testing.assert_array_equal(pixels.array, fluxes.transpose(0, 2, 3, 1)[:, ::-1])
    model = load_model(of_fluxes / "run")
    assert model.config.images.channels == UGRIZ
    splits = pd.read_parquet(of_fluxes / "run/splits.parquet")
    training = splits.loc[splits["split"] == "train", "object_id"].to_numpy()
    of_training = pixels.array[pixels.rows_of(training)].astype(np.float64)
    np.testing.assert_allclose(model.network.mean.flatten().numpy(), of_training.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(model.network.std.flatten().numpy(), of_training.std(axis=(0, 1, 2)), rtol=1e-5)
    assert "u, g, r, i, z" in (of_fluxes / "run/model/README.md").read_text()
    assert "fluxes as they are" in (of_fluxes / "run/model/README.md").read_text()
    output = of_fluxes / "predictions.csv"
    succeed("predict", of_fluxes / "run", "--images", of_fluxes / "images", "-o", output, "--views", "paper")
    assert pd.read_csv(output)["oh_p50_predicted"].notna().sum() == 40


def test_one_band_runs_from_end_to_end(tmp_path: Path) -> None:
    make_fits_sample(tmp_path, 40, ("r",), are_cubes=False)
    run(write_recipe(tmp_path, 'cutouts.bands = ["r"]'))
    assert load_pixels(tmp_path / "run/pixels").array.shape == (40, 16, 16, 1)
    assert (tmp_path / "run/figures/example_grid.png").is_file()


def test_a_missing_band_and_undefined_pixels_are_told_in_the_stages_lines(tmp_path: Path) -> None:
    make_fits_sample(tmp_path, 40, UGRIZ, are_cubes=False)
    (tmp_path / f"images/{FIRST_ID}_r.fits").unlink()
    fluxes, _ = make_fluxes(1, 16, 5, seed=7)
    holed = fluxes[0].copy()
    holed[2, 3, 4] = np.nan
    for band in UGRIZ:
        (tmp_path / f"images/{FIRST_ID + 1}_{band}.fits").unlink()
    write_cube(tmp_path / f"images/{FIRST_ID + 1}.fits", holed, UGRIZ)
    write_recipe(tmp_path, f"cutouts.bands = {list(UGRIZ)}")
    output = run(tmp_path, "--only", "catalog") + run(tmp_path, "--only", "cutouts") + run(tmp_path, "--only", "pixels")
    assert "39 of 40 have an image; 1 refused: 1 × lacks a file of the band r" in output
    assert "with undefined pixels filled: 1" in output


def test_files_of_the_other_kind_or_of_other_bands_are_refused_by_a_model(
    of_lupton: Path, of_fluxes: Path, finished: Path, tmp_path: Path
) -> None:
    def predict(model: Path, images: Path) -> str:
        return refuse("predict", model / "run", "--images", images, "-o", tmp_path / "p.csv", "--any-images")

    assert "trained on pictures such as JPEG, and how fluxes became levels" in predict(finished, of_lupton / "images")
    assert "trained on pictures such as JPEG, and how fluxes became levels" in predict(finished, of_lupton / "run")
    assert "images are pictures such as JPEG, but the model was trained on FITS files of i, r, g" in predict(
        of_lupton, finished / "images"
    )
    assert "trained on FITS files of u, g, r, i, z" in predict(of_fluxes, finished / "run")
    assert "lacks the band u" in predict(of_fluxes, of_lupton / "images")
    assert "decoded with another [cutouts] field_arcsec than the model's" in predict(of_fluxes, of_lupton / "run")


def test_a_folder_of_two_kinds_of_images_is_refused(tmp_path: Path) -> None:
    make_fits_sample(tmp_path, 20, ("i", "r", "g"))
    make_sample(tmp_path / "pictures", 21)
    shutil.copy(tmp_path / f"pictures/images/{FIRST_ID + 20}.png", tmp_path / "images")
    shutil.copy(tmp_path / "pictures/catalog.csv", tmp_path)
    error = refuse_run(write_recipe(tmp_path))
    assert "are of two kinds: 20 galaxies have FITS files, 1 pictures. Keep one kind there." in error


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('cutouts.stretch = "lupton"', '[cutouts] stretch = "lupton" is for the fluxes of FITS files'),
        ("cutouts.field_arcsec = 9.0", "[cutouts] field_arcsec needs the pixel scale of FITS files"),
        ('cutouts.bands = ["g", "r"]', "[cutouts] bands names 2, and such images have 3 in colour or 1 in grey"),
    ],
)
def test_what_only_fits_has_is_refused_of_pictures(sample: Path, line: str, reason: str) -> None:
    assert reason in refuse_run(write_recipe(sample, line))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("cutouts.bands = []", "bands needs 1 to 8 names, not 0"),
        (f"cutouts.bands = {list('abcdefghi')}", "bands needs 1 to 8 names, not 9"),
        ('cutouts.bands = ["g", "G", "r"]', "bands has a name twice, in capital or small letters"),
        ('cutouts.bands = ["g/r"]', "bands has 'g/r', which is not a name of a band, such as g or F814W"),
        ('cutouts.file_bands = ["g", "r"]', "file_bands lacks i, which bands asks for"),
        ('cutouts.stretch = "lupton"\ncutouts.bands = ["g"]', 'stretch = "lupton" maps three bands, and bands has 1'),
        ("cutouts.lupton.scale = [1.0, 2.0]", "scale needs 1 or 3 numbers, not 2"),
        ("cutouts.lupton.q = 0.0", "cutouts.lupton.q = 0.0 does not fit: input should be greater than 0"),
        ("cutouts.lupton.softening = 1.0", "Unknown setting 'cutouts.lupton.softening'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(sample: Path, line: str, reason: str) -> None:
    assert reason in refuse_run(write_recipe(sample, line), status=2)


def test_the_cache_of_fits_depends_on_the_settings_of_the_stretch_and_that_of_pictures_does_not(tmp_path: Path) -> None:
    make_fits_sample(tmp_path, 3, ("i", "r", "g"))
    make_sample(tmp_path / "pictures", 3)
    ids = FIRST_ID + np.arange(3)

    def is_fresh(folder: Path, **changed: object) -> bool:
        found = find_cutouts(folder / "images", ids).found
        settings = CutoutsSettings.model_validate(changed)
        return build_pixels(folder / "images", found, folder / "pixels", side=8, settings=settings).is_fresh

    assert [is_fresh(tmp_path), is_fresh(tmp_path), is_fresh(tmp_path, stretch="lupton")] == [False, True, False]
    assert [is_fresh(tmp_path, stretch="lupton", source="x"), is_fresh(tmp_path, field_arcsec=4.0)] == [True, False]
    assert [is_fresh(tmp_path / "pictures"), is_fresh(tmp_path / "pictures", bands=("z", "r", "g"))] == [False, True]


def test_the_same_file_for_two_galaxies_is_refused_band_by_band_too(tmp_path: Path) -> None:
    make_fits_sample(tmp_path, 3, UGRIZ, are_cubes=False)
    for band in UGRIZ:
        shutil.copy(tmp_path / f"images/{FIRST_ID}_{band}.fits", tmp_path / f"images/{FIRST_ID + 1}_{band}.fits")
    found = find_cutouts(tmp_path / "images", FIRST_ID + np.arange(3), bands=UGRIZ).found
    settings = CutoutsSettings(bands=UGRIZ)
    report = build_pixels(tmp_path / "images", found, tmp_path / "pixels", side=8, settings=settings)
    assert report.num_galaxies == 1
    assert set(report.refused["reason"].str.split(":").str[0]) == {"is byte for byte the image of another galaxy"}


def test_a_damaged_cache_of_fluxes_is_not_believed(tmp_path: Path) -> None:
    make_fits_sample(tmp_path, 3, ("i", "r", "g"))
    found = find_cutouts(tmp_path / "images", FIRST_ID + np.arange(3)).found
    build_pixels(tmp_path / "images", found, tmp_path / "pixels", side=8)
    np.save(tmp_path / "pixels/pixels.npy", np.zeros((3, 8, 8, 3), dtype=np.float64))
    with pytest.raises(ImageError, match="Delete that folder and run again"):
        load_pixels(tmp_path / "pixels")
    assert not build_pixels(tmp_path / "images", found, tmp_path / "pixels", side=8).is_fresh


def test_fluxes_are_measured_in_parts_as_they_are_at_once() -> None:
    generator = np.random.default_rng(0)
    pixels = (generator.normal(1e4, 3, (600, 4, 4, 2)) * [1, 0]).astype(np.float32)
    rows = generator.permutation(600)[:550]
    means, stds = measure_fluxes(pixels, rows)
    of_rows = pixels[rows].astype(np.float64)
    np.testing.assert_allclose(means.numpy(), of_rows.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(stds.numpy(), [of_rows[..., 0].std(), 1.0], rtol=1e-5)


def test_views_of_fluxes_are_not_cut_off_and_change_in_proportion_to_their_unit() -> None:
    fluxes, _ = make_fluxes(6, 16, 5)
    images = to_unit_range(torch.from_numpy(100 * fluxes.transpose(0, 2, 3, 1) - 20))
    torch.testing.assert_close(images, torch.from_numpy(100 * fluxes - 20))
    spread = images.std(dim=(0, 2, 3), keepdim=True)
    draws = torch.rand(6, 9, generator=torch.Generator().manual_seed(0))
    settings = AugmentationSettings()
    views = augment(images, draws, settings, flux_spread=spread)
    assert views.min() < -10
    assert views.max() > 10
    scaled = augment(1000 * images, draws, settings, flux_spread=1000 * spread)
    torch.testing.assert_close(scaled, 1000 * views, rtol=1e-4, atol=0.5)
    of_test = build_test_views(images, np.arange(6), "paper", seed=0, settings=settings, flux_spread=spread)
    assert all((view - images).abs().max() < 100 for view in of_test)


def test_fluxes_of_any_unit_are_learnt_alike() -> None:
    fluxes, metallicity = make_fluxes(24, 16, 2)
    settings = TrainingSettings(
        batch_size=12,
        original_view=True,
        augmented_views=1,
        frozen_epochs=0,
        constant_epochs=2,
        cycles=0,
        precision="float32",
    )
    losses = []
    for unit in (1.0, 1e6):
        pixels = (unit * fluxes.transpose(0, 2, 3, 1)).astype(np.float32)
        data = TrainingData(FIRST_ID + np.arange(24), metallicity[:, None], pixels, np.arange(24))
        fitted = fit_network(data, None, TINY, settings, device=torch.device("cpu"))
        losses.append(fitted.history["train_loss"].to_numpy())
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)


def test_pictures_are_shown_as_they_are_and_fluxes_by_a_mapping_that_is_told() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    shown, note = make_display(levels, ("i", "r", "g"))
    assert shown is levels
    assert note == ""
    for num_bands, named in (
        (1, "fluxes of u in grey:"),
        (2, "fluxes of u in grey:"),
        (3, "fluxes of r, g and u as red, green and blue:"),
        (5, "fluxes of z, r and u as red, green and blue:"),
    ):
        fluxes, _ = make_fluxes(4, 8, num_bands)
        shown, note = make_display(fluxes.transpose(0, 2, 3, 1), UGRIZ[:num_bands])
        assert shown.dtype == np.uint8
        assert shown.shape == (4, 8, 8, 3)
        assert shown.max() == 255
        if num_bands >= 3:
            given, _ = make_display(fluxes.transpose(0, 2, 3, 1), ["b1", "b2", "b3", "b4", "b5"][:num_bands])
            np.testing.assert_array_equal(shown, given[..., ::-1])  # names that tell no order leave it
        assert note.startswith(named)
    shown, _ = make_display(np.full((2, 4, 4, 1), 7.0, dtype=np.float32), ("r",))
    assert not shown.any()
