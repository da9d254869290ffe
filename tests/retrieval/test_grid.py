"""Grid pooling against its definition as plain loops in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.poolings.grid import Grid


def features(height: int, width: int) -> torch.Tensor:
    values = np.random.default_rng(0).uniform(-1, 3, (2, 3, height, width))
    return torch.from_numpy(values.astype(np.float32))


def steps(cell: int, cells: int, size: int) -> range:
    """Steps that a cell of width size / cells touches."""
    return range(cell * size // cells, -(-(cell + 1) * size // cells))


def grid(maps: torch.Tensor, cells: int) -> NDArray[np.float64]:
    values = maps.double().numpy()
    rows = []
    for image in values:
        row = []
        for channel in image:
            for i in range(cells):
                for j in range(cells):
                    inside = [
                        channel[y, x]
                        for y in steps(i, cells, channel.shape[0])
                        for x in steps(j, cells, channel.shape[1])
                    ]
                    row.append(sum(inside) / len(inside))
        rows.append(row)
    return np.array(rows)


@settings(deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), cells=st.integers(1, 11))
def test_the_definition(height: int, width: int, cells: int) -> None:
    maps = features(height, width)
    got = Grid(cells)(maps).double().numpy()
    np.testing.assert_allclose(got, grid(maps, cells), atol=1e-6)
    assert got.shape[1] == Grid(cells).out_dim((99, 3))


def test_as_many_cells_as_steps_are_the_map_itself() -> None:
    maps = features(5, 5)
    torch.testing.assert_close(Grid(5)(maps), maps.flatten(1), rtol=0, atol=0)


def test_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 3.0, 10.0, 20.0], [5.0, 7.0, 30.0, 40.0]]]])
    torch.testing.assert_close(Grid(1)(maps), torch.tensor([[14.5]]))
    torch.testing.assert_close(Grid(2)(maps), torch.tensor([[2.0, 15.0, 6.0, 35.0]]))


@pytest.mark.parametrize("cells", [0, -1, 65])
def test_impossible_cells_are_refused(cells: int) -> None:
    with pytest.raises(ValueError, match=rf"^cells of grid must be in 1\.\.64; got {cells}\.$"):
        Grid(cells)
