"""Starting weights of a backbone: from the hub, from a local safetensors file, or from another model of ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import timm
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import Tensor

from metalight.errors import ModelError, shorten
from metalight.model.network import Network
from metalight.model_files import check_weights_file, fetch_weights, read_header
from metalight.recipe import WORDS_FOR_WEIGHTS

_NUM_COLOURS = 3  # channels that timm's weights were trained with
_BODY = "body."  # begins the names of the backbone's tensors in a network of ours


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
    names = _name_body(list(tensors), backbone)
    given = {name: tensors[in_file] for name, in_file in names.items()}
    for name in network.list_stem():
        if name in given and _is_of_colours(given[name].shape):
            given[name] = adapt_input_conv(network.mean.shape[1], given[name])
    _check_fit(network, backbone, {name: tuple(tensor.shape) for name, tensor in given.items()}, path)
    network.body.load_state_dict(given, strict=False)
    return "hub" if weights == "hub" else "model" if _is_ours(list(tensors)) else "file"


def check_weights_fit(network: Network, backbone: str, weights: str) -> None:
    """Refuse a file of weights that is not of a backbone, by its header alone; `hub` and `none` are let through.

    Args:
        network: A network with this backbone, which may be on the device "meta".
        backbone: Its name in timm.
        weights: `hub`, `none`, or the path of a safetensors file.

    Raises:
        ModelError: The file is not whole, or not weights of this backbone.
    """
    if weights in WORDS_FOR_WEIGHTS:
        return
    path = Path(weights)
    check_weights_file(path)
    forms = read_header(path)
    shapes = {name: forms[in_file].shape for name, in_file in _name_body(list(forms), backbone).items()}
    for name in network.list_stem():
        if name in shapes and _is_of_colours(shapes[name]):
            shapes[name] = (shapes[name][0], network.mean.shape[1], *shapes[name][2:])
    _check_fit(network, backbone, shapes, path)


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"The weights {path} are not a whole safetensors file: {error}.") from error


def _is_ours(names: Sequence[str]) -> bool:
    """Whether these are the tensors of a network of ours, not of timm's."""
    return {"mean", "std"} <= set(names) and any(name.startswith(_BODY) for name in names)


def _name_body(names: Sequence[str], backbone: str) -> dict[str, str]:
    """The name in a file of each tensor of a backbone, by its name in timm; the classifier is left out."""
    if _is_ours(names):
        return {name.removeprefix(_BODY): name for name in names if name.startswith(_BODY)}
    classifier = timm.get_pretrained_cfg(backbone).classifier or ()
    prefixes = tuple(f"{name}." for name in ((classifier,) if isinstance(classifier, str) else classifier))
    return {name: name for name in names if not (prefixes and name.startswith(prefixes))}


def _is_of_colours(shape: Sequence[int]) -> bool:
    return len(shape) == 4 and shape[1] == _NUM_COLOURS


def _check_fit(network: Network, backbone: str, given: Mapping[str, tuple[int, ...]], path: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in network.body.state_dict().items()}
    # Older files lack the counters of batch norms, which nothing here reads.
    lacking = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    surplus = [name for name in given if name not in wanted]
    misfits = [
        f"{name} {list(given[name])} instead of {list(wanted[name])}"
        for name in wanted
        if name in given and given[name] != wanted[name]
    ]
    flaws = [
        f"{len(names)} {what}: {_list_first(names)}"
        for what, names in (("lacking", lacking), ("surplus", surplus), ("of another shape", misfits))
        if names
    ]
    if flaws:
        raise ModelError(
            f"The weights {path} are not those of the backbone '{backbone}': of {len(wanted)} tensors, "
            f"{'; '.join(flaws)}. Check [model] backbone and weights."
        )


def _list_first(names: Sequence[str]) -> str:
    return ", ".join(shorten(name) for name in names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


def _fetch_from_hub(backbone: str) -> Path:
    repository = timm.get_pretrained_cfg(backbone).hf_hub_id
    if not repository:
        raise ModelError(
            f"The hub has no weights for [model] backbone '{backbone}'; set weights = \"none\" or a safetensors file."
        )
    return fetch_weights(repository, backbone)
