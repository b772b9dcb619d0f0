"""3 × 3 convolutions with a quarter of the multiplications: Winograd's F(4 × 4, 3 × 3), for prediction on a CPU.

Lavin & Gray (2016, arXiv:1509.09308), eq. 8: every 4 × 4 piece of the output is A^T [(G g G^T) ∘ (B^T d B)] A, where
g is the kernel and d the 6 × 6 piece of the input below it. Over many channels the inner product is 36 products of
matrices, which a CPU does at its full speed. The matrices are those of Toom and Cook for the points 0, ±3/4, ±3/2 and
infinity, with which the rounding errors of float32 stay within about twice those of a direct convolution.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""Where polynomials are evaluated, beside infinity."""

MIN_CHANNELS = 128
"""With fewer channels in or out, the transforms cost more than the products save (measured)."""

_TILE, _PATCH = 4, 6  # sides of a piece of the output, and of the input below it
_TILES_AT_ONCE = 256  # what they need stays in a processor's cache
_MIN_TILES = 16
_MAX_WASTE = 1.6


class WinogradConv2d(nn.Module):
    """A convolution of 3 × 3 pixels for inference, between channels-last maps; small inputs go the direct way."""

    def __init__(self, direct: nn.Conv2d) -> None:
        super().__init__()
        self.direct = direct
        at, g, bt = compute_matrices()
        kernels = torch.einsum("ia,kcab,jb->ijck", torch.tensor(g), direct.weight.detach().double(), torch.tensor(g))
        self._kernels = kernels.reshape(_PATCH**2, direct.in_channels, direct.out_channels).float().contiguous()
        self._to_patches = torch.tensor(np.kron(bt, bt), dtype=torch.float32)
        self._to_tiles = torch.tensor(np.kron(at, at), dtype=torch.float32)

    def forward(self, images: Tensor) -> Tensor:
        """What the direct convolution gives for (batch, channels, height, width), within rounding."""
        num, _, height, width = images.shape
        rows, columns = -(-height // _TILE), -(-width // _TILE)
        waste = _TILE**2 * rows * columns / (height * width)
        if waste > _MAX_WASTE or num * rows * columns < _MIN_TILES:
            return self.direct(images)  # type: ignore[no-any-return]
        below, right = _TILE * rows - height, _TILE * columns - width
        padded = functional.pad(images.permute(0, 2, 3, 1), (0, 0, 1, 1 + right, 1, 1 + below))
        result = images.new_empty(num, _TILE * rows, _TILE * columns, self.direct.out_channels)
        # Equal groups: how a product adds depends on its shape, and with it would an image on its place in the batch.
        most_at_once = max(1, _TILES_AT_ONCE // (rows * columns))
        num_at_once = max(size for size in range(1, most_at_once + 1) if num % size == 0)
        for first in range(0, num, num_at_once):
            part = slice(first, first + num_at_once)
            self._convolve(padded[part], result[part])
        result = result[:, :height, :width].permute(0, 3, 1, 2)
        return result if self.direct.bias is None else result.add_(self.direct.bias.view(1, -1, 1, 1))

    def _convolve(self, padded: Tensor, result: Tensor) -> None:
        """Fill `result` (batch, height, width, channels out) from the input with a margin of one pixel."""
        num, height, width, num_out = result.shape
        rows, columns = height // _TILE, width // _TILE
        num_in = padded.shape[3]
        of_image, of_row, of_column, _ = padded.stride()
        size = (_PATCH, _PATCH, num, rows, columns, num_in)
        overlapping = padded.as_strided(
            size, (of_row, of_column, of_image, _TILE * of_row, _TILE * of_column, 1), padded.storage_offset()
        )
        patches = self._to_patches @ overlapping.reshape(_PATCH**2, -1)
        products = torch.bmm(patches.view(_PATCH**2, -1, num_in), self._kernels)
        tiles = (self._to_tiles @ products.view(_PATCH**2, -1)).view(_TILE, _TILE, num, rows, columns, num_out)
        result.view(num, rows, _TILE, columns, _TILE, num_out).copy_(tiles.permute(2, 3, 0, 4, 1, 5))


def is_suited(layer: nn.Module) -> bool:
    """Whether a layer is a convolution that gains by it."""
    return (
        type(layer) is nn.Conv2d
        and (layer.kernel_size, layer.stride, layer.padding, layer.dilation) == ((3, 3), (1, 1), (1, 1), (1, 1))
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and min(layer.in_channels, layer.out_channels) >= MIN_CHANNELS
    )


def compute_matrices() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """A^T (4, 6), G (6, 3) and B^T (6, 6).

    A and G evaluate polynomials of 4 and 3 coefficients at the points, the last row being infinity; B^T is the
    transposed inverse of evaluating 6 coefficients.
    """

    def evaluate(num_coefficients: int) -> npt.NDArray[np.float64]:
        at_infinity = np.eye(num_coefficients)[-1:]
        return np.vstack([np.vander(POINTS, num_coefficients, increasing=True), at_infinity])

    return evaluate(_TILE).T, evaluate(3), np.linalg.inv(evaluate(_PATCH)).T.astype(np.float64)
