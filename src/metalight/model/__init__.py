"""The network, the views it sees, its scaled targets, and the saved model that holds all of them."""

from metalight.model.hardware import (
    Precision,
    choose_device,
    choose_precision,
    measure_free_memory,
    name_device,
)
from metalight.model.inference import Inference, open_inference
from metalight.model.network import LAYER_GROUPS, Network, build_network, check_backbone, try_network
from metalight.model.saved import SavedModel, load_model, save_model
from metalight.model.scaling import TargetScaling
from metalight.model.views import (
    NUM_DRAWS,
    NUM_TEST_VIEWS,
    apply_dihedral,
    augment,
    build_test_views,
    to_unit_range,
)
from metalight.model.weights import check_weights_fit, load_weights
