"""Views of galaxies: what the network sees in training and at test time.

An augmented view is a pure function of an image and `NUM_DRAWS` uniform numbers: whoever draws the numbers decides
whether views repeat. The kinds and ranges of change are those of the authors' code (fastai's `transforms_top_down`),
but zoom, crop and turn are one resampling instead of two.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from metalight.recipe import AugmentationSettings, TestViews

NUM_DRAWS = 9
"""Uniform numbers behind one view: whether and how much to zoom, the place of the crop in two directions, whether
and how far to turn, brightness, contrast, symmetry."""

NUM_SYMMETRIES = 8
"""The symmetries of the square: four turns, each also mirrored. A galaxy has no preferred orientation on the sky."""

NUM_PAPER_VIEWS = 4
"""Augmented views at test time beside the original; the paper, section 3.2."""

NUM_TEST_VIEWS: dict[TestViews, int] = {"none": 1, "paper": 1 + NUM_PAPER_VIEWS, "eight": NUM_SYMMETRIES}
"""Images that the network sees of each galaxy."""


def to_unit_range(pixels: Tensor) -> Tensor:
    """Pixels (batch, side, side, channel) to float32 (batch, channel, side, side): levels, of uint8, from 0 to 1.

    Fluxes, which are float32 already, have no such range and keep their values.
    """
    images = pixels.permute(0, 3, 1, 2)
    return images if pixels.is_floating_point() else images.float() / 255


def apply_dihedral(images: Tensor, symmetry: int) -> Tensor:
    """Images (…, side, side) under one of the eight symmetries of the square: exact, no resampling."""
    turned = torch.rot90(images, symmetry % 4, dims=(-2, -1))
    return turned.flip(-1) if symmetry >= 4 else turned


def augment(
    images: Tensor, draws: Tensor, settings: AugmentationSettings, *, flux_spread: Tensor | None = None
) -> Tensor:
    """One augmented view of each image.

    Args:
        images: (batch, channel, side, side): levels from 0 to 1, or fluxes.
        draws: (batch, NUM_DRAWS) uniform numbers from 0 to 1.
        settings: Which changes are made, and how large.
        flux_spread: Of fluxes: standard deviation of each channel's training pixels, (1, channel, 1, 1). A shift of
            brightness is then a part of it, contrast changes about each channel's own mean, and nothing is cut off at
            black or white, which fluxes do not have.

    Returns:
        (batch, channel, side, side), levels from 0 to 1 or fluxes.
    """
    views = _change_light(_zoom_and_turn(images, draws, settings), draws, settings, flux_spread)
    return _apply_symmetries(views, draws[:, 8]) if settings.dihedral else views


def build_test_views(
    images: Tensor,
    object_ids: npt.NDArray[np.int64],
    views: TestViews,
    *,
    seed: int,
    settings: AugmentationSettings,
    flux_spread: Tensor | None = None,
) -> list[Tensor]:
    """The views of each galaxy whose predictions are averaged: each of them (batch, channel, side, side).

    The augmented views of `paper` depend on the seed and the galaxy alone, not on what stands beside it.
    """
    if views == "none":
        return [images]
    if views == "eight":
        return [apply_dihedral(images, symmetry) for symmetry in range(NUM_SYMMETRIES)]
    draws = np.stack(
        [
            np.random.default_rng([seed, object_id % 2**64]).random((NUM_PAPER_VIEWS, NUM_DRAWS), dtype=np.float32)
            for object_id in object_ids.tolist()
        ]
    )
    by_view = torch.from_numpy(draws).to(images.device).unbind(dim=1)
    return [images, *(augment(images, of_view, settings, flux_spread=flux_spread) for of_view in by_view)]


def _zoom_and_turn(images: Tensor, draws: Tensor, settings: AugmentationSettings) -> Tensor:
    one = torch.ones_like(draws[:, 0])
    is_zoomed = draws[:, 0] < settings.zoom_probability
    zoom = torch.where(is_zoomed, 1 + (settings.max_zoom - 1) * draws[:, 1], one)
    is_turned = draws[:, 4] < settings.rotation_probability
    angle_deg = torch.where(is_turned, settings.max_rotation_deg * (2 * draws[:, 5] - 1), 0 * one)
    angle = torch.deg2rad(angle_deg)
    # In coordinates of the image from -1 to 1, the view is a window of half-width 1 / zoom that stays inside it.
    half_width = 1 / zoom
    cosine, sine = half_width * torch.cos(angle), half_width * torch.sin(angle)
    offsets = (1 - half_width)[:, None] * (2 * draws[:, 2:4] - 1)
    affine = torch.stack([cosine, -sine, offsets[:, 0], sine, cosine, offsets[:, 1]], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _change_light(images: Tensor, draws: Tensor, settings: AugmentationSettings, flux_spread: Tensor | None) -> Tensor:
    brightness = settings.max_brightness * (2 * draws[:, 6] - 1)
    contrast = settings.max_contrast * (2 * draws[:, 7] - 1)
    # As in the authors' code: contrasts of +c and -c are each other's inverse.
    factor = torch.where(contrast >= 0, 1 + contrast, 1 / (1 - contrast)).view(-1, 1, 1, 1)
    if flux_spread is not None:
        mean = images.mean(dim=(2, 3), keepdim=True)
        return (images - mean) * factor + mean + brightness.view(-1, 1, 1, 1) * flux_spread
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return ((images - mean) * factor + mean + brightness.view(-1, 1, 1, 1)).clamp(0, 1)


def _apply_symmetries(images: Tensor, draws: Tensor) -> Tensor:
    symmetries = (draws * NUM_SYMMETRIES).long().clamp(max=NUM_SYMMETRIES - 1)
    views = images.clone()
    for symmetry in range(1, NUM_SYMMETRIES):
        chosen = symmetries == symmetry
        views[chosen] = apply_dihedral(images[chosen], symmetry)
    return views
