"""Promises of the views: pure functions of their draws, exact symmetries, ranges kept."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metalight.model import NUM_DRAWS, apply_dihedral, augment, build_test_views
from metalight.recipe import AugmentationSettings

STILL = AugmentationSettings(
    zoom_probability=0, rotation_probability=0, max_brightness=0, max_contrast=0, dihedral=False
)
"""Changes nothing; tests switch single changes on."""


def make_images(num: int = 3, side: int = 12, seed: int = 0) -> Tensor:
    return torch.rand(num, 3, side, side, generator=torch.Generator().manual_seed(seed))


def make_draws(num: int = 3, **values: float) -> Tensor:
    names = ["is_zoomed", "zoom", "x", "y", "is_turned", "angle", "brightness", "contrast", "symmetry"]
    draws = torch.full((num, NUM_DRAWS), 0.5)
    for name, value in values.items():
        draws[:, names.index(name)] = value
    return draws


def change(**settings_changed: object) -> AugmentationSettings:
    return STILL.model_copy(update=settings_changed)


def test_the_eight_symmetries_are_eight_and_exact() -> None:
    images = make_images()
    views = [apply_dihedral(images, symmetry) for symmetry in range(8)]
    assert torch.equal(views[0], images)
    for one in range(8):
        assert torch.equal(views[one].flatten().sort().values, images.flatten().sort().values)
        assert not any(torch.equal(views[one], views[other]) for other in range(one))


def test_two_symmetries_in_a_row_are_one_of_the_eight() -> None:
    images = make_images(1)
    views = [apply_dihedral(images, symmetry) for symmetry in range(8)]
    for first in range(8):
        for second in range(8):
            both = apply_dihedral(apply_dihedral(images, first), second)
            assert any(torch.equal(both, view) for view in views)


def test_a_view_without_changes_is_the_image() -> None:
    images = make_images()
    torch.testing.assert_close(augment(images, torch.rand(3, NUM_DRAWS), STILL), images)


@given(st.integers(0, 10_000), st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_views_keep_their_range_and_depend_on_their_own_draws_only(seed: int, side: int) -> None:
    images = make_images(4, side, seed)
    draws = torch.rand(4, NUM_DRAWS, generator=torch.Generator().manual_seed(seed))
    strong = AugmentationSettings(max_brightness=0.9, max_contrast=0.9, max_rotation_deg=180)
    views = augment(images, draws, strong)
    assert views.shape == images.shape
    assert 0 <= float(views.min()) <= float(views.max()) <= 1
    alone = augment(images[2:3], draws[2:3], strong)
    torch.testing.assert_close(views[2:3], alone, atol=1e-5, rtol=0)


def test_a_view_is_never_a_view_of_the_input_changed_in_place() -> None:
    images = make_images()
    before = images.clone()
    augment(images, torch.rand(3, NUM_DRAWS), AugmentationSettings())
    assert torch.equal(images, before)


def test_zoom_enlarges_about_the_place_of_the_crop() -> None:
    side = 64
    ramp = torch.linspace(0, 1, side).expand(1, 3, side, side)
    settings = change(zoom_probability=1.0, max_zoom=2.0)
    centre = augment(ramp, make_draws(1, zoom=1.0), settings)[0, 0, 0]
    # Twice as large: the middle half of the ramp fills the view.
    torch.testing.assert_close(centre, torch.linspace(0.25, 0.75, side), atol=0.02, rtol=0)
    left = augment(ramp, make_draws(1, zoom=1.0, x=0.0), settings)[0, 0, 0]
    torch.testing.assert_close(left, torch.linspace(0.0, 0.5, side), atol=0.02, rtol=0)


def test_a_crop_never_leaves_the_image() -> None:
    # Reflected pixels would be seen as values beyond the ramp's turning point.
    side = 64
    ramp = torch.linspace(0, 1, side).expand(1, 3, side, side)
    for x in (0.0, 1.0):
        view = augment(ramp, make_draws(1, zoom=1.0, x=x), change(zoom_probability=1.0, max_zoom=1.5))[0, 0, 0]
        assert (view.diff() >= 0).all()


@pytest.mark.parametrize(("draw", "turned"), [(0.0, -1), (1.0, 1)])
def test_a_turn_by_90_degrees_is_that_of_the_square(draw: float, turned: int) -> None:
    images = make_images(2, 16)
    view = augment(images, make_draws(2, angle=draw), change(rotation_probability=1.0, max_rotation_deg=90))
    torch.testing.assert_close(view, torch.rot90(images, turned, dims=(-2, -1)), atol=1e-4, rtol=0)


def test_probabilities_say_how_many_views_change() -> None:
    draws = torch.rand(4000, NUM_DRAWS, generator=torch.Generator().manual_seed(1))
    ramp = torch.linspace(0, 1, 4).expand(4000, 3, 4, 4)
    changed = augment(ramp, draws, change(zoom_probability=0.75, max_zoom=1.5)) - ramp
    fraction = float((changed.abs().amax(dim=(1, 2, 3)) > 1e-4).float().mean())
    assert abs(fraction - 0.75) < 0.03


def test_brightness_is_added_and_contrast_stretches_about_the_mean() -> None:
    images = 0.3 + 0.4 * make_images()
    brighter = augment(images, make_draws(brightness=1.0), change(max_brightness=0.05))
    torch.testing.assert_close(brighter, images + 0.05)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    more = augment(images, make_draws(contrast=1.0), change(max_contrast=0.05))
    torch.testing.assert_close(more, (images - mean) * 1.05 + mean)
    less = augment(images, make_draws(contrast=0.0), change(max_contrast=0.05))
    torch.testing.assert_close(less, (images - mean) / 1.05 + mean)


def test_each_symmetry_is_drawn_equally_often() -> None:
    draws = torch.rand(8000, NUM_DRAWS, generator=torch.Generator().manual_seed(2))
    image = make_images(1, 3)
    views = augment(image.expand(8000, -1, -1, -1), draws, change(dihedral=True))
    for symmetry in range(8):
        same = (views - apply_dihedral(image, symmetry)).abs().amax(dim=(1, 2, 3)) < 1e-5
        assert abs(float(same.float().mean()) - 1 / 8) < 0.02


def test_test_views_are_one_five_or_eight() -> None:
    images, ids = make_images(), np.arange(3)
    for views, number in (("none", 1), ("paper", 5), ("eight", 8)):
        built = build_test_views(images, ids, views, seed=0, settings=AugmentationSettings())  # type: ignore[arg-type]
        assert len(built) == number
        assert torch.equal(built[0], images)


def test_the_augmented_test_views_of_a_galaxy_are_its_own() -> None:
    images = make_images(4)
    ids = np.array([1237648720693755918, 5, 1237648720693755919, 7])

    def build(rows: list[int], seed: int = 0) -> Tensor:
        views = build_test_views(images[rows], ids[rows], "paper", seed=seed, settings=AugmentationSettings())
        return torch.stack(views, dim=1)

    together, alone = build([0, 1, 2, 3]), build([2])
    torch.testing.assert_close(together[2:3], alone, atol=1e-5, rtol=0)
    # Neighbouring identifiers, which are one float64, must not share views; nor do two seeds.
    same_image = build_test_views(images[[0, 0]], ids[[0, 2]], "paper", seed=0, settings=AugmentationSettings())[1]
    assert not torch.allclose(same_image[0], same_image[1])
    assert not torch.allclose(build([0], seed=1)[:, 1:], build([0])[:, 1:])
