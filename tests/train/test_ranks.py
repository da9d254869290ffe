"""Two processes make the run that one process makes."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from retrieval.data import Benchmark
from retrieval.errors import BadInputError
from tests.train.two_ranks import LOSSES, REMEMBERING, ROWS, benchmark, recipe, steps
from train.ranks import Ranks, joined, synchronous_norms
from train.state import read_state, state_files
from train.trainer import train as train_encoder

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 600
"""Seconds after which two ranks hang."""


@pytest.fixture(scope="module")
def pictures(figures: Benchmark) -> Path:
    return figures.train.paths[0].parents[1]


@pytest.fixture(scope="module")
def together(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which both ranks left everything they did."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "tests.train.two_ranks"]
    both = [
        subprocess.Popen([*command, str(rank), str(folder), str(pictures)], cwd=ROOT)
        for rank in range(2)
    ]
    try:
        codes = [process.wait(LIMIT) for process in both]
    finally:
        for process in both:
            process.kill()
            process.wait()
    assert codes == [0, 9]  # the last thing that happens is that rank 1 dies
    return folder


def pair(folder: Path, name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return load_file(folder / f"{name}-0.safetensors"), load_file(folder / f"{name}-1.safetensors")


def said(folder: Path, name: str) -> list[str]:
    return [(folder / f"{name}-{rank}.txt").read_text() for rank in range(2)]


def numbers(run: Path) -> dict[str, Tensor]:
    return read_state(state_files(run / "last")[-1]).tensors


def learned(run: Path) -> dict[str, Tensor]:
    """What does not depend on how many processes there are."""
    fixed = ("random", "running_mean", "running_var", "num_batches_tracked")
    return {name: tensor for name, tensor in numbers(run).items() if not name.endswith(fixed)}


def assert_close(got: dict[str, Tensor], want: dict[str, Tensor], tolerance: float) -> None:
    assert got.keys() == want.keys()
    for name, tensor in got.items():
        torch.testing.assert_close(tensor, want[name], rtol=tolerance, atol=tolerance)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(t, other[n]) for n, t in one.items())


# ---- steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_steps_of_two_ranks_are_those_of_one(together: Path, loss: str) -> None:
    want = steps(Ranks(), loss)
    for name in (loss, f"{loss}-pieces"):
        first, second = pair(together, name)
        assert equal(first, second)
        assert_close(first, want, 1e-12)


def test_norms_see_the_rows_of_a_rank_as_they_see_pieces(together: Path) -> None:
    first, second = pair(together, "norm")
    assert equal(first, second)
    want = steps(Ranks(), "pairs", norm=True, pieces=2, size=8)
    weights = {n: t for n, t in first.items() if "running" not in n and "batches" not in n}
    assert_close(weights, {name: want[name] for name in weights}, 1e-12)
    whole = steps(Ranks(), "pairs", norm=True, size=8)
    assert not torch.allclose(first["first.weight"], whole["first.weight"])


def test_ranks_drop_different_features_and_stay_together(together: Path) -> None:
    first, second = pair(together, "dropout")
    assert equal(first, second)


def test_random_streams() -> None:
    def drawn(rank: int, *, common: bool) -> float:
        torch.manual_seed(1)
        before = torch.get_rng_state()
        with Ranks(rank, 2).random_stream(5, torch.device("cpu"), common=common):
            number = float(torch.rand(()))
        assert torch.equal(torch.get_rng_state(), before)
        return number

    assert drawn(0, common=True) == drawn(1, common=True)
    assert len({drawn(0, common=False), drawn(1, common=False), drawn(0, common=True)}) == 3


def test_rows_are_those_of_pieces() -> None:
    for count in (1, 2, 3, 5):
        want = [part.tolist() for part in torch.arange(ROWS).tensor_split(count)]
        assert [list(Ranks(number, count).rows(ROWS)) for number in range(count)] == want


# ---- runs ---------------------------------------------------------------------------------------


def test_a_run_of_two_ranks_is_that_of_one(together: Path, pictures: Path, tmp_path: Path) -> None:
    assert said(together, "whole") == ["True", "True"]
    train_encoder(recipe(), tmp_path / "one", benchmark=benchmark(pictures))
    assert_close(learned(together / "whole"), learned(tmp_path / "one"), 1e-5)


def test_a_run_with_norms_is_that_of_pieces(together: Path, pictures: Path, tmp_path: Path) -> None:
    config = recipe("run.freeze_batch_norm=false", "run.pieces=2")
    train_encoder(config, tmp_path / "one", benchmark=benchmark(pictures))
    assert_close(learned(together / "with_norms"), learned(tmp_path / "one"), 1e-4)


@pytest.mark.parametrize("name", ["stopped", "killed"])
def test_a_run_that_ended_goes_on_as_if_it_had_not(together: Path, name: str) -> None:
    """Asked to stop by one rank, or gone in the middle."""
    assert said(together, name) == ["True", "True"]
    assert equal(numbers(together / name), numbers(together / "remembering"))


def test_a_run_that_remembers_is_that_of_one(
    together: Path, pictures: Path, tmp_path: Path
) -> None:
    train_encoder(recipe(*REMEMBERING), tmp_path / "one", benchmark=benchmark(pictures))
    assert_close(learned(together / "remembering"), learned(tmp_path / "one"), 1e-5)


def test_numbers_that_are_none_stop_all_ranks_with_one_sentence(together: Path) -> None:
    first, second = said(together, "poisoned")
    assert first == second
    assert first.startswith("training-stopped: training must stay finite; got images (1 of ")


def test_a_rank_that_died_ends_the_others_with_a_sentence(together: Path) -> None:
    text = (together / "dead-0.txt").read_text()
    assert text.startswith("training-stopped: every rank must go on to the end; got ")
    assert text.endswith("go on with --resume.")


# ---- beginnings ---------------------------------------------------------------------------------


def test_one_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for world in (None, "1"):
        monkeypatch.delenv("WORLD_SIZE", raising=False)
        if world:
            monkeypatch.setenv("WORLD_SIZE", world)
        with joined("cpu") as ranks:
            assert ranks == Ranks(0, 1)


def test_ranks_that_cannot_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with (
        pytest.raises(BadInputError, match=r"ranks must find each other; got .*torchrun"),
        joined("cpu"),
    ):
        pass


def test_more_ranks_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(BadInputError, match="at most its GPUs, 2; got rank 2"), joined("auto"):
        pass


def test_a_batch_smaller_than_the_ranks() -> None:
    Ranks(0, 4).check_batch(4)
    with pytest.raises(BadInputError, match="got 4 pictures for 5 ranks"):
        Ranks(0, 5).check_batch(4)


def test_norms_of_gpus_are_made_synchronous() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    names = list(network.state_dict())
    synchronous_norms(network)
    assert isinstance(network[1], nn.SyncBatchNorm)
    assert list(network.state_dict()) == names


@pytest.mark.slow
def test_torchrun_starts_a_run(pictures: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "recipe.toml", tmp_path / "run"
    file.write_text(
        f'validation_share = 0.3\n[benchmark]\nname = "folder"\nroot = "{pictures}"\n'
        'test_share = 0.1\n[loss]\nname = "proxy_anchor"\n[encoder]\nbackbone = "small"\n'
        "size = 24\ndim = 16\n[sampler]\nclasses = 4\nimages = 3\nsteps = 2\n"
        '[schedule]\nepochs = 1\n[run]\ndevice = "cpu"\n'
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
    done = subprocess.run(
        [*torchrun, "-m", "ui", "train", str(file), "--out", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=True,
    )  # fmt: skip
    assert done.stdout.count("epoch 0/1") == 1
    assert done.stdout.count("encoder: ") == 1
    assert '"ranks": 2' in (out / "config.json").read_text()
