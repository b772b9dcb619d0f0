"""Starting weights of a backbone: from the hub, from a local safetensors file, or from another model of ours."""

from collections.abc import Sequence
from pathlib import Path

import timm
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import Tensor

from metalight.errors import ModelError
from metalight.model.network import Network
from metalight.model_files import check_weights_file, fetch_weights, shorten

_NUM_COLOURS = 3  # channels that timm's weights were trained with


def load_weights(network: Network, backbone: str, weights: str) -> str:
    """Fill the backbone of a network with trained weights; its head stays as it is.

    The stem of weights for three colours is adapted to other numbers of channels as timm does: summed for one channel,
    else repeated and rescaled.

    Args:
        network: A network with this backbone.
        backbone: Its name in timm.
        weights: `hub`, `none` (nothing is done), or the path of a safetensors file: weights of timm, or the
            `model.safetensors` of a model that metalight trained, whose backbone is taken.

    Returns:
        Where they came from: `hub`, `none`, `file`, or `model` for a model that metalight trained.

    Raises:
        ModelError: The hub cannot be reached or has no such weights, or the file is not weights of this backbone.
    """
    if weights == "none":
        return "none"
    path = _fetch_from_hub(backbone) if weights == "hub" else Path(weights)
    check_weights_file(path)
    tensors = _load_tensors(path)
    is_ours = {"mean", "std"} <= set(tensors) and any(name.startswith("body.") for name in tensors)
    given = _take_body(tensors) if is_ours else _leave_out_classifier(tensors, backbone)
    _adapt_stem(given, network)
    _fill_body(network, backbone, given, path)
    return "hub" if weights == "hub" else "model" if is_ours else "file"


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"The weights {path} are not a whole safetensors file: {error}.") from error


def _take_body(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("body."): tensor for name, tensor in tensors.items() if name.startswith("body.")}


def _leave_out_classifier(tensors: dict[str, Tensor], backbone: str) -> dict[str, Tensor]:
    classifier = timm.get_pretrained_cfg(backbone).classifier or ()
    prefixes = tuple(f"{name}." for name in ((classifier,) if isinstance(classifier, str) else classifier))
    return {name: tensor for name, tensor in tensors.items() if not (prefixes and name.startswith(prefixes))}


def _adapt_stem(given: dict[str, Tensor], network: Network) -> None:
    """Give the first convolutions the network's number of channels, in place; what does not fit is left as it is."""
    stem = network.body.pretrained_cfg.get("first_conv") or ()  # type: ignore[union-attr,operator]
    num_channels = network.mean.shape[1]
    for name in (stem,) if isinstance(stem, str) else stem:
        weight = given.get(f"{name}.weight")
        if weight is not None and weight.ndim == 4 and weight.shape[1] == _NUM_COLOURS != num_channels:
            given[f"{name}.weight"] = adapt_input_conv(num_channels, weight)


def _fill_body(network: Network, backbone: str, given: dict[str, Tensor], path: Path) -> None:
    wanted = network.body.state_dict()
    # Older files lack the counters of batch norms, which nothing here reads.
    lacking = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    surplus = [name for name in given if name not in wanted]
    misfits = [
        f"{name} {list(given[name].shape)} instead of {list(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    flaws = [
        f"{len(names)} {what} ({_list_first(names)})"
        for what, names in (("are lacking", lacking), ("are surplus", surplus), ("have another shape", misfits))
        if names
    ]
    if flaws:
        raise ModelError(
            f"The weights {path} are not those of the backbone '{backbone}': of {len(wanted)} tensors, "
            f"{'; '.join(flaws)}. Check [model] backbone and weights."
        )
    network.body.load_state_dict(given, strict=False)


def _list_first(names: Sequence[str]) -> str:
    return ", ".join(shorten(name) for name in names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


def _fetch_from_hub(backbone: str) -> Path:
    repository = timm.get_pretrained_cfg(backbone).hf_hub_id
    if not repository:
        raise ModelError(
            f"The hub has no weights for [model] backbone '{backbone}'; set weights = \"none\" or a safetensors file."
        )
    return fetch_weights(repository, backbone)
