"""The network: a timm backbone, the paper's pooling and head, in three layer groups.

The paper, section 3.1, and the authors' code: ResNet-34 without its last layers; average and maximum pooling side by
side; batch norm, dropout, a hidden linear layer, ReLU, batch norm, dropout, a linear layer to the targets.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import timm
import torch
from timm.layers import SelectAdaptivePool2d
from torch import Tensor, nn
from torch.nn import functional

from metalight.errors import ModelError, name_nearest
from metalight.model_files import SMALL_SIDE_PX, list_sides
from metalight.recipe import ModelSettings

LAYER_GROUPS = ("early", "late", "head")
"""Parts of the network with a learning rate each, from the input on."""


class Network(nn.Module):
    """Images to scaled targets; the normalisation of the input is inside: ImageNet's, or that of training fluxes."""

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, num_targets: int, settings: ModelSettings, num_channels: int) -> None:
        super().__init__()
        config: Any = body.pretrained_cfg
        num_features = int(body.num_features)  # type: ignore[arg-type]
        self.register_buffer("mean", _spread_over_channels(config["mean"], num_channels))
        self.register_buffer("std", _spread_over_channels(config["std"], num_channels))
        self.enlarged_to = 0
        """Side in pixels that smaller images are enlarged to, by nearest neighbour; 0: images stay as they are."""

        self.body = body
        self.pool = SelectAdaptivePool2d(pool_type="catavgmax", flatten=True)
        hidden = settings.hidden_features
        self.head = nn.Sequential(
            nn.BatchNorm1d(2 * num_features),
            nn.Dropout(settings.dropout[0]),
            nn.Linear(2 * num_features, hidden),
            nn.ReLU(),
            nn.BatchNorm1d(hidden),
            nn.Dropout(settings.dropout[1]),
            nn.Linear(hidden, num_targets),
        )
        for layer in self.head:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.is_body_frozen = False

    def forward(self, images: Tensor) -> Tensor:
        """Scaled targets (batch, target) of images (batch, channel, side, side); `TargetScaling` undoes the scaling.

        Images are levels from 0 to 1, or fluxes in the unit of those that `set_normalization` was told of.
        """
        if images.shape[-1] < self.enlarged_to:
            images = functional.interpolate(images, size=self.enlarged_to, mode="nearest-exact")
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_body_frozen):
            features = self.body.forward_features((images - self.mean) / self.std)  # type: ignore[operator]
        # The head stays in float32: bf16 holds a metallicity of 9 only to 0.03 dex.
        with torch.autocast(images.device.type, enabled=False):
            scaled: Tensor = self.head(self.pool(features.float()))
        return scaled

    def set_normalization(self, means: Tensor, stds: Tensor) -> None:
        """Bring fluxes to a mean of 0 and a spread of 1, by those of the training galaxies' pixels, both (channel,)."""
        self.mean.copy_(means.view(1, -1, 1, 1))
        self.std.copy_(stds.view(1, -1, 1, 1))

    def freeze_body(self, is_frozen: bool) -> None:
        """Keep the backbone as it is while the head learns, or let all learn."""
        self.is_body_frozen = is_frozen
        for parameter in self.body.parameters():
            parameter.requires_grad_(not is_frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Network":
        """Switch to training or evaluation; a frozen body stays in evaluation, so that its batch norms stand still."""
        super().train(mode)
        if self.is_body_frozen:
            self.body.eval()
        return self

    def list_stem(self) -> list[str]:
        """The weights of the body that the channels of an image meet first."""
        stem: str | Sequence[str] = self.body.pretrained_cfg.get("first_conv") or ()  # type: ignore[union-attr,operator]
        return [f"{name}.weight" for name in ((stem,) if isinstance(stem, str) else stem)]

    def copy_first_filters(self) -> npt.NDArray[np.float32]:
        """The filters that an image meets first, (filter, channel, side, side); none where the backbone names none."""
        for name in self.list_stem()[:1]:
            filters: npt.NDArray[np.float32] = self.body.state_dict()[name].detach().float().cpu().numpy()
            if filters.ndim == 4:
                return filters.copy()
        return np.empty((0, len(self.mean.flatten()), 1, 1), dtype=np.float32)

    def spare_points(self, is_wanted: bool) -> None:
        """Compute maps of features of one pixel by the centre of each kernel alone, as training needs it, or as usual.

        The function is the same; see `_PointConv2d` for why. Prediction, which folds and replaces plain convolutions,
        is to be told of none but those.
        """
        for layer in self.body.modules():
            kind = type(layer)
            if is_wanted and _keeps_points(layer):
                layer.__class__ = _PointConv2d
            elif not is_wanted and kind is _PointConv2d:
                layer.__class__ = nn.Conv2d

    def layer_groups(self) -> dict[str, list[nn.Parameter]]:
        """The parameters of each of `LAYER_GROUPS`; together they are all parameters, each once.

        Early ends with the third-last feature stage of the backbone (layer2 of a ResNet), as in the authors' code.
        """
        stages: Any = self.body.feature_info
        last_early: str = stages[-3]["module"]
        groups: dict[str, list[nn.Parameter]] = {"early": [], "late": [], "head": list(self.head.parameters())}
        group, has_entered = "early", False
        for name, module in self.body.named_modules():
            is_inside = name == last_early or name.startswith(f"{last_early}.")
            if has_entered and not is_inside:
                group = "late"
            has_entered = has_entered or is_inside
            groups[group].extend(module.parameters(recurse=False))
        return groups


class _PointConv2d(nn.Conv2d):
    """A convolution that, of an image of one pixel, takes the centre of its kernel: the rest sees padding only.

    In mixed precision on a CPU, torch 2.15 leaves the gradient of that rest unwritten where the convolution has a
    stride: it is whatever was in memory, often no number. Images of 16 pixels and less come down to one pixel within a
    ResNet, so that weights of deep layers became NaN, without a trace in the loss. It is a ninth of the work, too.
    """

    def forward(self, images: Tensor) -> Tensor:
        """As of any convolution."""
        if images.shape[-2:] != (1, 1):
            return super().forward(images)
        row, column = (size // 2 for size in self.kernel_size)
        centre = self.weight[:, :, row : row + 1, column : column + 1]
        return functional.conv2d(images, centre, self.bias, groups=self.groups)


def _keeps_points(layer: nn.Module) -> bool:
    """Whether a layer is a convolution that makes one pixel of one pixel, by the centre of its kernel."""
    if type(layer) is not nn.Conv2d or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return False
    sizes = list(zip(layer.kernel_size, layer.dilation, layer.padding, strict=True))
    is_centred = all(size % 2 == 1 and padding == dilation * (size // 2) for size, dilation, padding in sizes)
    return is_centred and max(layer.kernel_size) > 1


def check_backbone(name: str) -> None:
    """Refuse a backbone that cannot be used, without making it.

    Raises:
        ModelError: timm has no such model, or it is not one of a known architecture.
    """
    architecture, _, tag = name.partition(".")
    # A name with a colon or a slash would be looked for elsewhere than in timm.
    if ":" in name or "/" in name or not timm.is_model(architecture):
        known = timm.list_models(f"{architecture[:3]}*") or timm.list_models("resnet*")
        raise ModelError(f"[model] backbone: timm has no model '{name}'.{name_nearest(architecture, known)}")
    if tag:
        tagged = timm.list_pretrained(f"{architecture}.*")
        if name not in tagged:
            hint = name_nearest(name, tagged)
            raise ModelError(f"[model] backbone: timm has no weights '{tag}' of '{architecture}'.{hint}")


def build_network(
    settings: ModelSettings, num_targets: int, num_channels: int = 3, *, side: int = SMALL_SIDE_PX
) -> Network:
    """A network with random weights, drawn from torch's global generator.

    Args:
        settings: The backbone and the head.
        num_targets: Properties to predict.
        num_channels: Bands of an image.
        side: Of the images, in pixels. If it is too small for the backbone, the network enlarges them.

    Raises:
        ModelError: The backbone is unknown, is not made of feature stages that give maps of features, or does not
            take images of this side.
    """
    enlarged_to = try_network(settings, num_targets, num_channels, side=side).enlarged_to
    return assemble_network(settings, num_targets, num_channels, enlarged_to=enlarged_to)


def try_network(settings: ModelSettings, num_targets: int, num_channels: int, *, side: int) -> Network:
    """A network whose tensors have shapes and no numbers (on torch's device "meta"), which costs next to nothing.

    Raises:
        ModelError: As of `build_network`.
    """
    network = assemble_network(settings, num_targets, num_channels, device="meta")
    network.enlarged_to = _find_side(network.body, settings.backbone, num_channels, side)
    return network


def assemble_network(
    settings: ModelSettings, num_targets: int, num_channels: int, *, device: str = "cpu", enlarged_to: int = 0
) -> Network:
    """A network as `build_network` makes it, without trying which images its backbone takes.

    Raises:
        ModelError: The backbone is unknown or has no three feature stages.
    """
    check_backbone(settings.backbone)
    with torch.device(device):
        try:
            body = timm.create_model(
                settings.backbone, pretrained=False, num_classes=0, global_pool="", in_chans=num_channels
            )
        except Exception as error:
            # Models with heads of their own kind raise errors of many types.
            raise ModelError(_explain_unsuited(settings.backbone, "cannot be made without its own pooling")) from error
        stages = getattr(body, "feature_info", None) or []
        module_names = {name for name, _ in body.named_modules()}
        if len(stages) < 3 or any(stage["module"] not in module_names for stage in list(stages)[-3:]):
            raise ModelError(_explain_unsuited(settings.backbone, "has no three feature stages"))
        network = Network(body, num_targets, settings, num_channels)
    network.enlarged_to = enlarged_to
    return network


def _find_side(body: nn.Module, backbone: str, num_channels: int, side: int) -> int:
    """The side that images are to be enlarged to before a backbone (on the device "meta") takes them; 0 for none."""
    for candidate in list_sides(side):
        images = torch.zeros(2, num_channels, candidate, candidate, device="meta")
        try:
            with torch.inference_mode():
                features = body.eval().forward_features(images)  # type: ignore[operator]
        except Exception:
            # A stage that has no pixel left, or a side of the wrong multiple: errors of many types.
            continue
        if features.ndim != 4 or features.shape[1] != body.num_features:
            raise ModelError(_explain_unsuited(backbone, "does not give maps of features, channels first"))
        return candidate if candidate > side else 0
    raise ModelError(_explain_unsuited(backbone, "does not take images of any size"))


def _spread_over_channels(of_colours: Sequence[float], num_channels: int) -> Tensor:
    """Means or deviations of the colours of ImageNet for other channels, as (1, channel, 1, 1).

    As timm adapts the weights of a stem: the colours are repeated in order; a single channel stands for all of them.
    """
    if num_channels == 1:
        of_channels = [sum(of_colours) / len(of_colours)]
    else:
        of_channels = [of_colours[channel % len(of_colours)] for channel in range(num_channels)]
    return torch.tensor(of_channels).view(1, num_channels, 1, 1)


def _explain_unsuited(name: str, flaw: str) -> str:
    return (
        f"[model] backbone '{name}' {flaw}, which the three layer groups and the pooling need; "
        "take a convolutional one, such as resnet34.tv_in1k, convnext_tiny.fb_in22k or efficientnet_b0.ra_in1k."
    )
