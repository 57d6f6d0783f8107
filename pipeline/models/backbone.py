"""A classifier of torchvision whose last layer gives keypoints instead of classes: what one would try first."""

from collections.abc import Mapping
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url
from torchvision.models import get_model, get_model_weights

from pipeline.models.layers import standardize
from pipeline.models.network import KeypointNetwork
from pipeline.models.tensor_geometry import face_size


def build(
    name: str, options: Mapping[str, Any], *, side: int, mean_shape: Tensor, flip_index: np.ndarray
) -> KeypointNetwork:
    """See `pipeline.models.build_network`; it has no options and takes frames of any side."""
    return Backbone(name, mean_shape)


class Backbone(KeypointNetwork):
    """Regression of offsets from the mean face, in face sizes, by the classifier `name` on the whole frame."""

    mean_shape: Tensor

    def __init__(self, name: str, mean_shape: Tensor) -> None:
        """`name`: as torchvision has it, e.g. "resnet18"; `mean_shape`: (K, 2) mean training face in crop pixels."""
        super().__init__(len(mean_shape))
        self.name = name
        self.register_buffer("mean_shape", mean_shape)
        self.network = get_model(name, weights=None, num_classes=2 * self.points)
        place, colour = next((n, m) for n, m in self.network.named_modules() if isinstance(m, nn.Conv2d))
        side, stride, margin = colour.kernel_size[0], colour.stride[0], colour.kernel_size[0] // 2
        self.first = place
        gray = nn.Conv2d(1, colour.out_channels, side, stride, margin, bias=False)
        self.network.set_submodule(place, gray)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images in 0..1 -> (B, 1, K, 2) keypoints in crop pixels."""
        offsets = self.network(standardize(images)).float().view(-1, 1, self.points, 2)
        return torch.add(self.mean_shape, face_size(self.mean_shape) * offsets)

    def label_tensors(self) -> set[str]:
        return {"mean_shape"}

    def head_tensors(self) -> set[str]:
        """The last of its layers, which gives classes elsewhere."""
        *_, last = (name for name, module in self.named_modules() if isinstance(module, nn.Linear))
        return {f"{last}.{part}" for part in ("weight", "bias")}

    def load_pretrained(self) -> None:
        """Take over torchvision's weights for ImageNet; the first layer gets the sum of its kernels over the colours.

        The last layer, for 1,000 classes there, stays new. torch.hub fetches the weights once, to $TORCH_HOME. Raises
        ValueError where they cannot be had.
        """
        url = get_model_weights(self.name).DEFAULT.url
        try:
            state = load_state_dict_from_url(url, progress=False, check_hash=True, weights_only=True)
        except (OSError, RuntimeError, UnpicklingError) as error:
            raise ValueError(
                f"its pretrained weights cannot be had from {url} ({error}); put that file into "
                "$TORCH_HOME/hub/checkpoints or set model.weights to scratch"
            ) from None
        first = f"{self.first}.weight"
        state[first] = state[first].sum(1, keepdim=True)
        own = self.network.state_dict()
        self.network.load_state_dict(
            {key: value if value.shape == own[key].shape else own[key] for key, value in state.items()}
        )
