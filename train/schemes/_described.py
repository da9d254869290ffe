"""Logits and descriptors of a batch in one pass."""

from torch import Tensor, nn

from retrieval.heads import Head

from ._scheme import Seen


def described(head: Head, seen: Seen) -> tuple[Tensor, Tensor]:
    """What a head answers, (B, K), and the descriptors of the pictures themselves, (B, D).

    Most heads make the descriptor on their way to the logits: then that one is taken, and neither
    backbone nor pooling is computed, or counted by a norm, a second time. A head that looks again
    pools other pictures too; theirs are passed over.
    """
    maps: list[tuple[Tensor, Tensor | None]] = []
    descriptors: list[Tensor] = []

    def kept_maps(images: Tensor) -> tuple[Tensor, Tensor | None]:
        made = seen.maps(images)
        if images is seen.inputs:
            maps.append(made)
        return made

    def keep(_: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        if maps and arguments[0] is maps[0][0]:
            descriptors.append(output)

    with head.pooling.register_forward_hook(keep):
        logits = head.of_images(seen.inputs, kept_maps)
    if descriptors:
        return logits, descriptors[0]
    return logits, head.representation(*(maps[0] if maps else seen.maps(seen.inputs)))
