"""What tests of several stages share."""

from pathlib import Path

import pytest


@pytest.fixture
def shared_folder() -> Path:
    """The folder `shared` beside the repository: real images and the published predictions, which are not ours."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared, with the published predictions and the real sample")
    return folder
