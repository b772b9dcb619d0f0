"""Whether images are of the kind that a model was trained on."""

from metalight.errors import PredictionError
from metalight.model_files.config import ImageDescription


def check_files_match(trained_on: ImageDescription, *, are_fits: bool) -> None:
    """Refuse FITS files for a model of pictures, and the other way round.

    Args:
        trained_on: The images that the model takes.
        are_fits: Whether those at hand are FITS files.

    Raises:
        PredictionError: They are of the other kind.
    """
    if are_fits and not trained_on.is_fits:
        raise PredictionError(
            "The images are FITS files, but the model was trained on pictures such as JPEG, and how fluxes became "
            "levels there is not known. Take such images, or train on FITS files; [cutouts] stretch says what their "
            "fluxes become."
        )
    if trained_on.is_fits and not are_fits:
        raise PredictionError(
            "The images are pictures such as JPEG, but the model was trained on FITS files of "
            f"{', '.join(trained_on.channels)}; take those."
        )


def check_mapping_matches(trained_on: ImageDescription, decoded: ImageDescription) -> None:
    """Refuse decoded images that were made from their files in another way than those of the training.

    Raises:
        PredictionError: They were; the first setting that differs is named.
    """
    check_files_match(trained_on, are_fits=decoded.is_fits)
    names = ["field_arcsec", "stretch"] if trained_on.is_fits else []
    names += ["lupton"] if trained_on.stretch == "lupton" else []
    # Where the same numbers come from does not matter.
    names += ["extinction"] if trained_on.is_fits else []
    for name in names:
        if getattr(trained_on, name) != getattr(decoded, name):
            raise PredictionError(
                f"The images were decoded with another [cutouts] {name} than the model's; "
                "predict from their folder instead, where the model's own settings apply."
            )


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
