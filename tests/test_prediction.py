"""Promises of prediction: what depends on what, units, and refusals."""

from typing import Any

import numpy as np
import pytest
import torch

from make import FIRST_ID, make_blobs, make_model, predict_pixels
from metalight.errors import PredictionError
from metalight.model import SavedModel, apply_dihedral, to_unit_range
from metalight.model_files import check_images_match
from metalight.prediction import build_prediction_table

PIXELS, _ = make_blobs(9, 16)
IDS = FIRST_ID + np.arange(9)


def predict(rows: list[int], model: SavedModel | None = None, **options: object) -> np.ndarray:
    chosen = np.array(rows, dtype=np.intp)
    settings: dict[str, Any] = {"views": "none", **options}
    return predict_pixels(model or make_model(), PIXELS, chosen, IDS[chosen], **settings)


def test_predictions_leave_in_physical_units() -> None:
    model = make_model()
    with torch.inference_mode():
        scaled = model.network(to_unit_range(torch.from_numpy(PIXELS))).numpy().astype(float)
    np.testing.assert_allclose(predict(list(range(9)), model), 8.9 + 0.2 * scaled, atol=1e-6)


@pytest.mark.parametrize("views", ["none", "paper", "eight"])
def test_a_prediction_does_not_depend_on_its_batch_or_its_place(views: str) -> None:
    whole = predict(list(range(9)), views=views)
    assert whole.shape == (9, 1)
    assert len(np.unique(whole)) == 9
    np.testing.assert_allclose(predict([4, 0, 8], views=views), whole[[4, 0, 8]], atol=1e-5)
    # Batches of 4 leave a last batch of a single galaxy.
    np.testing.assert_allclose(predict(list(range(9)), views=views, batch_size=4), whole, atol=1e-5)


def test_eight_views_do_not_depend_on_the_orientation_of_the_image() -> None:
    model = make_model()
    rows = np.arange(9)
    turned = apply_dihedral(torch.from_numpy(PIXELS).permute(0, 3, 1, 2), 5).permute(0, 2, 3, 1).numpy()
    as_it_is, as_turned = (
        predict_pixels(model, np.ascontiguousarray(pixels), rows, IDS, views="eight") for pixels in (PIXELS, turned)
    )
    np.testing.assert_allclose(as_it_is, as_turned, atol=1e-5)
    one_view = [predict_pixels(model, p, rows, IDS, views="none") for p in (PIXELS, turned.copy())]
    assert np.abs(one_view[0] - one_view[1]).max() > 1e-4


def test_eight_views_are_the_mean_of_the_symmetries() -> None:
    model = make_model()
    images = to_unit_range(torch.from_numpy(PIXELS))
    with torch.inference_mode():
        scaled = torch.stack([model.network(apply_dihedral(images, symmetry)) for symmetry in range(8)]).mean(0)
    np.testing.assert_allclose(predict(list(range(9)), model, views="eight"), 8.9 + 0.2 * scaled.numpy(), atol=1e-5)


def test_bf16_predicts_nearly_the_same() -> None:
    difference = predict(list(range(9)), precision="bf16") - predict(list(range(9)))
    assert 0 < np.abs(difference).max() < 0.02


def test_no_galaxies_give_an_empty_result() -> None:
    assert predict([]).shape == (0, 1)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(PredictionError, match=r"16 pixels wide, but the model takes 32.*\[pixels\] side = 32"):
        predict([0], make_model(side=32))


def test_a_model_that_predicts_no_number_is_refused() -> None:
    model = make_model()
    with torch.no_grad():
        model.network.state_dict()["head.6.bias"].fill_(float("nan"))
    with pytest.raises(PredictionError, match=f"no finite number for 2 galaxies, such as {IDS[3]}"):
        predict([3, 4], model)


@pytest.mark.parametrize(("framing", "source"), [("petrosian", "simulated"), ("", "simulated"), ("", "")])
def test_images_like_those_of_the_training_pass(framing: str, source: str) -> None:
    check_images_match(make_model().config.images, framing=framing, source=source)


@pytest.mark.parametrize(("framing", "source", "what"), [("fixed", "simulated", "framing"), ("", "sdss", "source")])
def test_images_of_another_framing_or_source_are_refused(framing: str, source: str, what: str) -> None:
    with pytest.raises(PredictionError, match=f"have the {what} '{framing or source}', but the model was trained on"):
        check_images_match(make_model().config.images, framing=framing, source=source)


def test_the_table_has_exact_identifiers_units_and_a_column_a_target() -> None:
    model = make_model(num_targets=2)
    table = build_prediction_table(model.config, IDS, predict(list(range(9)), model))
    assert list(table.frame) == ["object_id", "oh_p50_predicted", "lgm_tot_p50_predicted"]
    assert table.frame["object_id"].tolist() == IDS.tolist()
    assert table.info["oh_p50_predicted"].unit == "dex"
