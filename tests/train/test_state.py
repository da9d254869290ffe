"""States: what is read is what was written, and damage is always noticed."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from retrieval.errors import BadInputError, DamagedDataError, StorageError
from train.state import (
    KEPT,
    State,
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
    read_state,
    state_files,
    write_state,
)


def state(epoch: int = 1, step: int = 2) -> State:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "encoder/weight": torch.randn(3, 4, generator=generator).T,
        "encoder/count": torch.tensor(7),
        "random": torch.arange(16, dtype=torch.uint8),
        "average/weight": torch.randn(5, generator=generator).bfloat16(),
        "empty": torch.empty(0, 3),
    }
    return State(tensors, {"epoch": epoch, "step": step, "loss_sum": 0.1 + 0.2, "reports": []})


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    written = state()
    found = read_state(write_state(written, tmp_path))
    assert found.facts == {**written.facts, "format": 1}
    assert found.facts["loss_sum"] == 0.1 + 0.2
    assert found.tensors.keys() == written.tensors.keys()
    for name, tensor in written.tensors.items():
        assert torch.equal(found.tensors[name], tensor)
        assert found.tensors[name].dtype == tensor.dtype


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = write_state(state(), tmp_path)
    data = path.read_bytes()
    generator = torch.Generator().manual_seed(1)
    for _ in range(300):
        bit = int(torch.randint(len(data) * 8, (), generator=generator))
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        with pytest.raises(DamagedDataError, match=r"must be a whole state; got one"):
            read_state(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_every_cut_is_noticed(tmp_path: Path, share: float) -> None:
    path = write_state(state(), tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DamagedDataError, match="Resume from the state before it"):
        read_state(path)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "epoch-00001-step-000000.safetensors"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(DamagedDataError):
        read_state(path)


def test_a_state_of_another_format(tmp_path: Path) -> None:
    path = write_state(state(), tmp_path)
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["facts"])["format"] == 1
    path.write_bytes(save({"a": torch.zeros(1)}))
    with pytest.raises(DamagedDataError):
        read_state(path)


def test_the_newest_states_are_kept(tmp_path: Path) -> None:
    for epoch, step in [(0, 5), (0, 10), (1, 0), (2, 0), (10, 0)]:
        write_state(state(epoch, step), tmp_path)
    assert [path.stem for path in state_files(tmp_path)] == [
        "epoch-00002-step-000000",
        "epoch-00010-step-000000",
    ]
    assert KEPT == 2


def test_a_failed_write_leaves_the_states_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_state(state(1), tmp_path)

    def full(*_: object) -> None:
        raise StorageError("disk full")

    monkeypatch.setattr("train.state.write_atomically", full)
    with pytest.raises(StorageError):
        write_state(state(2), tmp_path)
    assert state_files(tmp_path) == [path]
    read_state(path)


def test_a_module_comes_back_and_a_stranger_is_refused() -> None:
    module, other = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
    nn.init.normal_(module.weight)
    module(torch.randn(5, 4))
    load_module("encoder", other, module_tensors("encoder", module))
    assert all(torch.equal(a, other.state_dict()[name]) for name, a in module.state_dict().items())
    with pytest.raises(
        BadInputError, match=r"state must hold the encoder of its run; '.*' must be"
    ):
        load_module("encoder", nn.BatchNorm1d(5), module_tensors("encoder", module))
    with pytest.raises(BadInputError, match="state must hold the loss of its run"):
        load_module("loss", module, module_tensors("encoder", module))


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_an_optimizer_goes_on_as_before(kind: str) -> None:
    def make() -> tuple[nn.Conv2d, torch.optim.Optimizer]:
        torch.manual_seed(0)
        layer = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        if kind == "adamw":
            return layer, torch.optim.AdamW(layer.parameters(), 0.1)
        return layer, torch.optim.SGD(layer.parameters(), 0.1, momentum=0.9)

    def step(layer: nn.Conv2d, optimizer: torch.optim.Optimizer, seed: int) -> None:
        images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        layer(images).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    layer, optimizer = make()
    step(layer, optimizer, 1)
    again, other = make()
    again.load_state_dict(layer.state_dict())
    written = {name: t.clone().contiguous() for name, t in optimizer_tensors(optimizer).items()}
    load_optimizer(other, {**written, "encoder/weight": torch.zeros(1)})
    moments = other.state_dict()["state"][0]
    for name, moment in optimizer.state_dict()["state"][0].items():
        assert moment is None or moments[name].stride() == moment.stride()
    step(layer, optimizer, 2)
    step(again, other, 2)
    assert torch.equal(layer.weight, again.weight)
