"""The network: a timm backbone, the paper's pooling and head, in three layer groups.

The paper, section 3.1, and the authors' code: ResNet-34 without its last layers; average and maximum pooling side by
side; batch norm, dropout, a hidden linear layer, ReLU, batch norm, dropout, a linear layer to the targets.
"""

from typing import Any

import timm
import torch
from timm.layers import SelectAdaptivePool2d
from torch import Tensor, nn

from metalight.errors import ModelError, name_nearest
from metalight.recipe import ModelSettings

LAYER_GROUPS = ("early", "late", "head")
"""Parts of the network with a learning rate each, from the input on."""


class Network(nn.Module):
    """Images to scaled targets; the normalisation of the input is inside: ImageNet's, or that of training fluxes."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, body: nn.Module, num_features: int, num_targets: int, settings: ModelSettings, num_channels: int = 3
    ) -> None:
        super().__init__()
        config: dict[str, Any] = getattr(body, "default_cfg", {})
        # ImageNet has no other channels than three; fluxes bring a normalisation of their own.
        is_known = num_channels == 3
        mean, std = (config["mean"], config["std"]) if is_known else ([0.0] * num_channels, [1.0] * num_channels)
        self.register_buffer("mean", torch.tensor(mean).view(1, num_channels, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, num_channels, 1, 1))
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
        """Scaled targets (batch, target) of images (batch, channel, side, side); `TargetScaling` undoes it.

        Images are levels from 0 to 1, or fluxes in the unit of those that `set_normalization` was told of.
        """
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


def build_network(settings: ModelSettings, num_targets: int, num_channels: int = 3) -> Network:
    """A network with random weights, drawn from torch's global generator.

    Raises:
        ModelError: The backbone is unknown, or is not made of feature stages that give maps of features.
    """
    check_backbone(settings.backbone)
    body = timm.create_model(settings.backbone, pretrained=False, num_classes=0, global_pool="", in_chans=num_channels)
    stages = getattr(body, "feature_info", None) or []
    module_names = {name for name, _ in body.named_modules()}
    if len(stages) < 3 or any(stage["module"] not in module_names for stage in list(stages)[-3:]):
        raise ModelError(_explain_unsuited(settings.backbone, "has no three feature stages"))
    try:
        with torch.inference_mode():
            features = body.eval().forward_features(torch.zeros(2, num_channels, 64, 64))
    except Exception as error:
        # Models with a fixed input size raise errors of many types.
        raise ModelError(_explain_unsuited(settings.backbone, "does not take images of any size")) from error
    if features.ndim != 4 or features.shape[1] != body.num_features:
        raise ModelError(_explain_unsuited(settings.backbone, "does not give maps of features, channels first"))
    return Network(body.train(), int(body.num_features), num_targets, settings, num_channels)


def _explain_unsuited(name: str, flaw: str) -> str:
    return (
        f"[model] backbone '{name}' {flaw}, which the three layer groups and the pooling need; "
        "take a convolutional one, such as resnet34.tv_in1k, convnext_tiny.fb_in22k or efficientnet_b0.ra_in1k."
    )
