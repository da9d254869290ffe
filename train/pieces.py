"""A batch larger than memory: the loss of all of it, the network a piece at a time.

The loss of a metric-learning batch compares all its images, so it is not a sum over pieces and
cannot be accumulated. But its gradient reaches the network only through the embeddings. So: embed
all pieces without gradients, take the gradient of the loss with respect to the embeddings, then
embed each piece again with gradients and send its part of that gradient back. The result is that
of the whole batch, for one more forward pass, as long as images of a batch do not influence one
another: BatchNorm in training mode sees pieces.

References:
    Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, RepL4NLP
    2021 (GradCache).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def backward_in_pieces(
    encoder: nn.Module,
    embed: Callable[[Tensor], Tensor],
    images: Tensor,
    pieces: int,
    loss_of: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Add the gradient of ``loss_of(embed(images))`` to the weights of both.

    Args:
        encoder: Whose buffers ``embed`` changes.
        embed: (B, 3, H, W) to (B, D).
        images: (B, 3, H, W).
        pieces: How many pieces to make of the B images.
        loss_of: (B, D) to a scalar; may have weights of its own.

    Returns:
        The embeddings (B, D) and the loss, both detached.
    """
    parts = images.tensor_split(pieces)
    buffers = [buffer.clone() for buffer in encoder.buffers()]
    states = []
    with torch.no_grad():
        embedded = []
        for part in parts:
            states.append(_random_state(images.device))
            embedded.append(embed(part))
        for buffer, before in zip(encoder.buffers(), buffers, strict=True):
            buffer.copy_(before)  # running statistics are to see every piece once
    embeddings = torch.cat(embedded).detach().requires_grad_()
    loss = loss_of(embeddings)
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = torch.zeros_like(embeddings) if embeddings.grad is None else embeddings.grad
    for part, gradient, state in zip(parts, gradients.tensor_split(pieces), states, strict=True):
        _set_random_state(state, images.device)  # the same dropout as in the first pass
        embed(part).backward(gradient)  # type: ignore[no-untyped-call]
    return embeddings.detach(), loss.detach()


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(state: Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
