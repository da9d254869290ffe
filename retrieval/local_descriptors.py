"""The columns of the last map of many pictures: what local comparisons need."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .data import Modality
from .encoder import Encoder
from .encoder_pair import EncoderPair, door_of
from .errors import BadInputError
from .exports import ExportedEncoder
from .joined import JoinedEncoder
from .lanes import open_lanes
from .modalities import read_picture
from .poolings.scda import Scda
from .tensors import device_of

Columns = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""(P, C) float32 unit rows, one for each of the P = h*w positions; (P,) what SCDA selects."""


class LocalDescriptors:
    """Local descriptors of pictures, in a file without a name that ends with the object.

    float16, so 125 kB for a 7 x 7 map of 1,280 channels; in memory is only what is being looked at.

    Attributes:
        channels: C, length of a column.

    Args:
        columns: What each picture has.
        positions: (N,) int64, ascending: under which numbers they are asked for; 0, 1, 2 ... when
            left out.
    """

    def __init__(
        self, columns: Iterable[Columns], positions: NDArray[np.int64] | None = None
    ) -> None:
        masks, sizes, channels = [], [0], 0
        with tempfile.TemporaryFile() as file:
            for rows, mask in columns:
                file.write(rows.astype(np.float16).tobytes())
                masks.append(mask)
                sizes.append(len(mask))
                channels = rows.shape[1]
            file.flush()
            self._ends = np.cumsum(sizes)
            self.channels = channels
            shape = (int(self._ends[-1]), channels)
            self._rows = np.memmap(file, np.float16, "r", shape=shape)
        self._mask = np.concatenate([np.empty(0, bool), *masks])
        self._positions = np.arange(len(masks)) if positions is None else positions

    def of(self, position: int) -> Columns:
        """Of one picture."""
        rows, mask, _ = self.together(np.array([position]))
        return rows, mask

    def together(
        self, positions: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
        """Of N pictures: all their rows, what SCDA selects of them, and where each one starts."""
        places = np.searchsorted(self._positions, positions)
        parts = [slice(self._ends[place], self._ends[place + 1]) for place in places]
        rows = np.concatenate([self._rows[part] for part in parts]).astype(np.float32)
        mask = np.concatenate([self._mask[part] for part in parts])
        sizes = [part.stop - part.start for part in parts]
        return rows, mask, np.cumsum([0, *sizes[:-1]])


@torch.inference_mode()
def local_descriptors(
    encoder: Encoder | EncoderPair,
    paths: Sequence[Path],
    *,
    modality: Modality | None = None,
    positions: NDArray[np.int64] | None = None,
    batch_size: int = 32,
    on_progress: Callable[[int], None] | None = None,
) -> LocalDescriptors:
    """Local descriptors of image files, a batch in memory at a time, computed as ``eager`` does.

    Args:
        encoder: In eval mode. Its pooling and what follows do not matter, nor does ``flip``.
        paths: The files.
        modality: As :func:`retrieval.encoding.encode_files` takes it.
        positions: See :class:`LocalDescriptors`.
        batch_size: Pictures decoded at once.
        on_progress: Called with each count of files that got done.

    Raises:
        ImageError: A file cannot be read.
        BadInputError: The encoder is an exported graph, which has no maps, or a joined one, which
            has several.
    """
    encoder, kind = door_of(encoder, modality)
    if isinstance(encoder, ExportedEncoder):
        raise BadInputError(
            "local descriptors need the maps of an encoder; got an exported one, which gives "
            "vectors only. Use the encoder it was made from."
        )
    if isinstance(encoder, JoinedEncoder):
        raise BadInputError(
            "local descriptors need the maps of one encoder; got a joined one, whose parts have "
            "their own. Use one of the encoders that were joined."
        )
    device = device_of(encoder)
    select, transform = Scda().mask, encoder.transform

    def pixels(path: Path) -> NDArray[np.uint8]:
        return transform.pixels(read_picture(path, kind, transform))

    def columns() -> Iterable[Columns]:
        threads = torch.get_num_threads()
        for start in range(0, len(paths), batch_size):
            with open_lanes(threads, 1) as lanes:
                decoded = list(lanes.map(pixels, paths[start : start + batch_size]))
            for one in decoded:
                images = transform.normalise(torch.from_numpy(one)[None].to(device))
                last = encoder.backbone(images).float()  # (1, C, h, w)
                rows = torch.nn.functional.normalize(last[0].flatten(1).T)
                yield rows.cpu().numpy(), select(last)[0].flatten().cpu().numpy()
            if on_progress:
                on_progress(len(decoded))

    return LocalDescriptors(columns(), positions)
