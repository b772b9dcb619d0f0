"""Files of models, looked at before torch is imported: where starting weights lie, and whether a model is whole."""

from metalight.model_files.header import TensorForm, is_pickle, read_header, shorten
from metalight.model_files.saved import (
    CONFIG_FILE,
    FORMAT_VERSION,
    WEIGHTS_FILE,
    check_saved_model,
    find_saved_model,
    load_description,
)
from metalight.model_files.starting import check_starting_weights, check_weights_file, fetch_weights

__all__ = [
    "CONFIG_FILE",
    "FORMAT_VERSION",
    "WEIGHTS_FILE",
    "TensorForm",
    "check_saved_model",
    "check_starting_weights",
    "check_weights_file",
    "fetch_weights",
    "find_saved_model",
    "is_pickle",
    "load_description",
    "read_header",
    "shorten",
]
