"""Where starting weights lie: in a file, in the hub's cache, or on the hub; asked before anything long is begun."""

import glob
import queue
import re
import threading
import time
from pathlib import Path

from metalight.errors import ModelError, explain_absence
from metalight.model_files.header import is_pickle, read_header
from metalight.model_files.saved import WEIGHTS_FILE
from metalight.recipe import WORDS_FOR_WEIGHTS

HUB_TIMEOUT_S = 2.0
"""How long the hub may take to answer, finding its address included; with the start of the program about three."""

_HUB_FILE = "model.safetensors"
_USUAL_AUTHOR = "timm"


def check_starting_weights(backbone: str, weights: str) -> None:
    """Refuse starting weights that cannot be had, in about two seconds at most and without importing torch or timm.

    Whether the weights are those of the backbone is not looked at, nor whether timm knows a backbone of that name:
    `metalight.model` does both.

    Args:
        backbone: Its name in timm.
        weights: `hub`, `none`, or the path of a safetensors file.

    Raises:
        ModelError: The file is missing or not whole, or the weights are not in the hub's cache and the hub does not
            answer.
    """
    if weights not in WORDS_FOR_WEIGHTS:
        check_weights_file(Path(weights))
    elif weights == "hub" and re.fullmatch(r"[\w.-]+", backbone) and not _is_cached(backbone):
        _probe_hub(f"{_USUAL_AUTHOR}/{backbone}", backbone)


def check_weights_file(path: Path) -> None:
    """Refuse a file of weights that is missing, cut short, or not a safetensors file.

    Raises:
        ModelError: It is one of these; the message says what to do.
    """
    if not path.exists():
        raise ModelError(
            f"{explain_absence(path, 'weights file')}; give [model] weights the path of a safetensors file."
        )
    try:
        read_header(path)
    except ModelError as error:
        way_out = "Copy or download it again, or give [model] weights another safetensors file."
        if is_pickle(path):
            way_out = (
                "If you trust it, convert it: safetensors.torch.save_file(torch.load(FILE, weights_only=True), "
                "NEW_FILE) in Python."
            )
        elif inside := _list_weights_inside(path):
            way_out = f"Give [model] weights {inside[0]}."
        raise ModelError(f"The weights file {path} {error}. {way_out}") from error


def fetch_weights(repository: str, backbone: str) -> Path:
    """The file of a backbone's weights: from the hub's cache, where nothing is asked of the network, or downloaded.

    Args:
        repository: Of the hub, such as `timm/resnet34.tv_in1k`.
        backbone: Its name in timm, for the messages.

    Raises:
        ModelError: The hub cannot be reached, or has no such weights.
    """
    import huggingface_hub

    cached = huggingface_hub.try_to_load_from_cache(repository, _HUB_FILE)
    if isinstance(cached, str):
        return Path(cached)
    # Asked once, without the retries that a download would spend half a minute on.
    refusal = _ask_in_time(repository, time.monotonic() + HUB_TIMEOUT_S)
    if refusal is not None:
        raise ModelError(_explain_refused(refusal, repository, backbone)) from refusal
    try:
        return Path(huggingface_hub.hf_hub_download(repository, _HUB_FILE))
    except Exception as error:
        # The hub's library lets errors of its HTTP client through, whose type depends on its version.
        raise ModelError(_explain_refused(error, repository, backbone)) from error


def _list_weights_inside(folder: Path) -> list[Path]:
    """Files of weights in a folder, if it is one: a saved model, or the run that trained it."""
    return [path for path in (folder / WEIGHTS_FILE, folder / "model" / WEIGHTS_FILE) if path.is_file()]


def _is_cached(backbone: str) -> bool:
    """Whether the hub's cache has weights of this name, or of any tag of it if the name has none; by whomever."""
    from huggingface_hub import constants

    tag = "" if "." in backbone else ".*"
    found = Path(constants.HF_HUB_CACHE).glob(f"models--*--{glob.escape(backbone)}{tag}/snapshots/*/{_HUB_FILE}")
    return any(path.is_file() for path in found)


def _probe_hub(repository: str, backbone: str) -> None:
    deadline = time.monotonic() + HUB_TIMEOUT_S
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    error = _ask_in_time(repository, deadline)
    # The hub answers. What it lacks there may lie elsewhere, or be misspelt: timm knows, once it is imported.
    if error is not None and not isinstance(error, (EntryNotFoundError, RepositoryNotFoundError)):
        raise ModelError(_explain_refused(error, repository, backbone)) from error


def _ask_in_time(repository: str, deadline: float) -> Exception | None:
    """Ask the hub for a file's size and version; the error that this ends with, or None."""
    import huggingface_hub

    url = huggingface_hub.hf_hub_url(repository, _HUB_FILE)
    answers: queue.Queue[Exception | None] = queue.Queue()

    def ask() -> None:
        try:
            huggingface_hub.get_hf_file_metadata(url, timeout=HUB_TIMEOUT_S)
            answers.put(None)
        except Exception as error:
            answers.put(error)

    # In a thread that is left behind: looking an address up cannot be interrupted, nor be given a limit of its own.
    threading.Thread(target=ask, name="ask-hub", daemon=True).start()
    try:
        return answers.get(timeout=max(0.1, deadline - time.monotonic()))
    except queue.Empty:
        return TimeoutError(f"no answer within {HUB_TIMEOUT_S:.0f} seconds")


def _explain_refused(error: Exception, repository: str, backbone: str) -> str:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    detail = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    if isinstance(error, OfflineModeIsEnabled):
        detail = "the environment sets HF_HUB_OFFLINE, and the weights are not in its cache"
    is_refused = isinstance(error, HfHubHTTPError)
    flaw = f"refuses them: {detail}." if is_refused else f"cannot be reached: {detail}. Check your network."
    url = huggingface_hub.hf_hub_url(repository, _HUB_FILE)
    return (
        f"The weights of '{backbone}' are wanted from the hub, which {flaw} Download {_HUB_FILE} of {repository} "
        f'({url}) where there is a network, and set [model] weights to its path; or set weights = "none": training '
        "then starts from random weights, takes more epochs, and is less accurate (0.003 dex on the paper's galaxies)."
    )
