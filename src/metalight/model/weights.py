"""Starting weights of a backbone: from the hub, or from a local safetensors file."""

from pathlib import Path

import timm
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from metalight.errors import ModelError
from metalight.model.network import Network
from metalight.recipe import WORDS_FOR_WEIGHTS

HUB_TIMEOUT_S = 5.0
"""How long the hub may take to answer at all."""

_HUB_FILE = "model.safetensors"


def check_weights(weights: str) -> None:
    """Refuse starting weights that name a file which is not there; the file is not read.

    Raises:
        ModelError: There is no such file.
    """
    if weights not in WORDS_FOR_WEIGHTS and not Path(weights).is_file():
        raise ModelError(f"There is no weights file {weights}; give [model] weights the path of a safetensors file.")


def load_weights(network: Network, backbone: str, weights: str) -> None:
    """Fill the backbone of a network with trained weights; its head stays as it is.

    Args:
        network: A network with this backbone.
        backbone: Its name in timm.
        weights: `hub`, `none` (nothing is done), or the path of a safetensors file.

    Raises:
        ModelError: The hub cannot be reached or has no such weights, or the file is not weights of this backbone.
    """
    if weights == "none":
        return
    check_weights(weights)
    path = _fetch_from_hub(backbone) if weights == "hub" else Path(weights)
    _fill_body(network, backbone, _load_tensors(path), path)


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"The weights {path} are not a whole safetensors file: {error}.") from error


def _fill_body(network: Network, backbone: str, tensors: dict[str, Tensor], path: Path) -> None:
    classifier = timm.get_pretrained_cfg(backbone).classifier or ()
    prefixes = tuple(f"{name}." for name in ((classifier,) if isinstance(classifier, str) else classifier))
    given = {name: tensor for name, tensor in tensors.items() if not (prefixes and name.startswith(prefixes))}
    wanted = network.body.state_dict()
    # Older files lack the counters of batch norms, which nothing here reads.
    lacking = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    unknown = [name for name in given if name not in wanted]
    misfits = [name for name in given if name in wanted and given[name].shape != wanted[name].shape]
    flaw = ""
    if lacking:
        flaw = f"'{lacking[0]}' and {len(lacking) - 1} more are lacking" if lacking[1:] else f"'{lacking[0]}' lacks"
    elif unknown:
        flaw = f"'{unknown[0]}' is no part of it"
    elif misfits:
        shapes = f"{list(given[misfits[0]].shape)} instead of {list(wanted[misfits[0]].shape)}"
        flaw = f"'{misfits[0]}' has the shape {shapes}"
    if flaw:
        raise ModelError(
            f"The weights {path} are not those of the backbone '{backbone}': {flaw}. "
            "Check [model] backbone and weights."
        )
    network.body.load_state_dict(given, strict=False)


def _fetch_from_hub(backbone: str) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    repository = timm.get_pretrained_cfg(backbone).hf_hub_id
    if not repository:
        raise ModelError(
            f"The hub has no weights for [model] backbone '{backbone}'; set weights = \"none\" or a safetensors file."
        )
    cached = huggingface_hub.try_to_load_from_cache(repository, _HUB_FILE)
    if isinstance(cached, str):
        return Path(cached)
    way_out = (
        f"Download {_HUB_FILE} of {repository} where there is a network, and set [model] weights to its path; "
        'or set weights = "none".'
    )
    try:
        # Asked once, without the retries that a download would spend half a minute on.
        huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(repository, _HUB_FILE), timeout=HUB_TIMEOUT_S)
        return Path(huggingface_hub.hf_hub_download(repository, _HUB_FILE, etag_timeout=HUB_TIMEOUT_S))
    except HfHubHTTPError as error:
        raise ModelError(f"The hub refuses the weights of '{backbone}': {_first_line(error)}. {way_out}") from error
    except Exception as error:
        # The hub's library lets errors of its HTTP client through, whose type depends on its version.
        raise ModelError(f"The hub with the weights of '{backbone}' cannot be reached. {way_out}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
