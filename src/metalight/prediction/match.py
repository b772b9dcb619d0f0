"""Whether images are of the kind that a model was trained on."""

from metalight.errors import PredictionError
from metalight.model import ImageDescription


def check_images_match(trained_on: ImageDescription, *, framing: str, source: str, bands: tuple[str, ...] = ()) -> None:
    """Refuse images of another framing, source or bands than the model's, whose predictions would be wrong unnoticed.

    Args:
        trained_on: The images that the model takes.
        framing: Of the images at hand; empty if it is not known, which is let through.
        source: Likewise.
        bands: Likewise, in the order of the channels.

    Raises:
        PredictionError: They differ.
    """
    for what, of_images, of_model in (
        ("framing", framing, trained_on.framing),
        ("source", source, trained_on.source),
        ("bands", ", ".join(bands), ", ".join(trained_on.channels)),
    ):
        if of_images and of_images != of_model:
            raise PredictionError(
                f"The images have the {what} '{of_images}', but the model was trained on '{of_model}'. "
                "Take images like those of its training, or predict all the same with --any-images."
            )
