"""Files of models, looked at before torch is imported.

Where starting weights lie, whether a saved model is whole, what it says of itself, and whether images are such as it
takes.
"""

from metalight.model_files.backbones import check_backbone_name
from metalight.model_files.config import (
    ImageDescription,
    ModelConfig,
    TargetDescription,
    TrainingSummary,
    load_config,
)
from metalight.model_files.header import TensorForm, read_header
from metalight.model_files.likeness import ImageNumber, TrainingImages, find_mismatches, summarise_images
from metalight.model_files.match import check_files_match, check_images_match, check_mapping_matches
from metalight.model_files.saved import (
    CARD_FILE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    check_saved_model,
    find_saved_model,
)
from metalight.model_files.sides import SMALL_SIDE_PX, list_sides
from metalight.model_files.starting import check_starting_weights, check_weights_file, fetch_weights
from metalight.model_files.verdict import Outcome, TargetVerdict, describe_failure, find_failed
