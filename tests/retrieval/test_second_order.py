"""Poolings of products, each against its definition as plain loops in float64."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.errors import BadInputError
from retrieval.poolings._matrix_root import matrix_root
from retrieval.poolings.bilinear import Bilinear
from retrieval.poolings.compact_bilinear import CompactBilinear
from retrieval.poolings.g2denet import G2denet
from retrieval.poolings.grouped_bilinear import GroupedBilinear
from retrieval.poolings.hierarchical_bilinear import HierarchicalBilinear
from retrieval.poolings.improved_bilinear import ImprovedBilinear
from retrieval.poolings.isqrt_cov import IsqrtCov
from retrieval.poolings.kernel_pooling import KernelPooling
from retrieval.poolings.projected_bilinear import ProjectedBilinear
from retrieval.poolings.random_maclaurin import RandomMaclaurin

B, C, H, W = 3, 4, 3, 5
Rows = NDArray[np.float64]


def maps(channels: int = C, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, channels, H, W, generator=generator, dtype=torch.float64)


def mean_product(image: Rows) -> Rows:
    """(C, h, w) to (C, C), one position after the other."""
    total = np.zeros((len(image), len(image)))
    for i in range(image.shape[1]):
        for j in range(image.shape[2]):
            x = image[:, i, j]
            for a in range(len(x)):
                for b in range(len(x)):
                    total[a, b] += x[a] * x[b]
    return total / (image.shape[1] * image.shape[2])


def root_and_norm(values: Rows) -> Rows:
    rooted = np.array([math.copysign(math.sqrt(abs(value)), value) for value in values.ravel()])
    return np.asarray(rooted / np.linalg.norm(rooted))


def matrix_root_by_scipy(matrix: Rows) -> Rows:
    from scipy.linalg import sqrtm

    return np.asarray(np.real(sqrtm(matrix)))


def upper(matrix: Rows) -> Rows:
    return np.array([matrix[a, b] for a in range(len(matrix)) for b in range(a, len(matrix))])


def raised(matrix: Rows) -> Rows:
    """The upper triangle with the root of two beside the diagonal."""
    size = len(matrix)
    return np.array(
        [
            matrix[a, b] * (1 if a == b else math.sqrt(2))
            for a in range(size)
            for b in range(a, size)
        ]
    )


def test_bilinear_has_the_inner_products_of_the_whole_matrix() -> None:
    last = maps()
    found = Bilinear(C)(last).numpy()
    whole = np.stack([root_and_norm(mean_product(image)) for image in last.numpy()])
    np.testing.assert_allclose(found @ found.T, whole @ whole.T, atol=1e-7)
    first = root_and_norm(mean_product(last[0].numpy())).reshape(C, C)
    np.testing.assert_allclose(found[0], raised(first), atol=1e-6)


def sketch(x: Rows, places: list[int], signs: list[float], dim: int) -> Rows:
    sums = np.zeros(dim)
    for value, place, sign in zip(x, places, signs, strict=True):
        sums[place] += sign * value
    return sums


def convolved(first: Rows, second: Rows) -> Rows:
    """Circular convolution by its definition."""
    size = len(first)
    out = np.zeros(size)
    for i in range(size):
        for j in range(size):
            out[(i + j) % size] += first[i] * second[j]
    return out


@pytest.mark.parametrize("dim", [8, 11])
def test_compact_bilinear_is_the_convolution_of_count_sketches(dim: int) -> None:
    """An even and an odd length: half a spectrum does not say which of the two it is of."""
    pooling, last = CompactBilinear(C, dim).double(), maps()
    tables = [(s.places.tolist(), s.signs.tolist()) for s in (pooling.first, pooling.second)]
    for image, found in zip(last.numpy(), pooling.sketched(last).numpy(), strict=True):
        total = np.zeros(dim)
        for x in image.reshape(C, -1).T:
            total += convolved(*(sketch(x, *table, dim) for table in tables))
        np.testing.assert_allclose(found, total / (H * W), atol=1e-12)
    want = root_and_norm(pooling.sketched(last)[0].numpy())
    np.testing.assert_allclose(pooling(last)[0].numpy(), want, atol=1e-6)


@pytest.mark.parametrize("kind", ["tensor sketch", "random maclaurin"])
def test_sketches_keep_inner_products_on_average(kind: str) -> None:
    last = maps()
    whole = np.stack([mean_product(image).ravel() for image in last.numpy()])
    want = whole @ whole.T
    found = []
    for seed in range(300):
        if kind == "tensor sketch":
            rows = CompactBilinear(C, 64, seed).double().sketched(last).numpy()
        else:
            rows = RandomMaclaurin(C, 64, seed).projected(last).numpy()
        found.append(rows @ rows.T)
    error = np.std(found, axis=0) / math.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - want) < 4 * error).all()


def test_random_maclaurin_by_its_definition() -> None:
    pooling, last = RandomMaclaurin(C, 6, seed=3), maps()
    first, second = pooling.signs.numpy().astype(np.float64)
    assert set(np.unique(pooling.signs)) == {-1, 1}
    for image, found in zip(last.numpy(), pooling.projected(last).numpy(), strict=True):
        columns = image.reshape(C, -1).T
        want = [
            sum(float(first[j] @ x) * float(second[j] @ x) for x in columns) / len(columns)
            for j in range(6)
        ]
        np.testing.assert_allclose(found, np.array(want) / math.sqrt(6), atol=1e-12)


@pytest.mark.parametrize("kind", [CompactBilinear, RandomMaclaurin, KernelPooling])
def test_what_is_drawn_depends_on_the_seed_alone_and_travels_with_the_weights(kind) -> None:
    torch.manual_seed(1)
    first = kind(C, 16, seed=5)
    torch.manual_seed(2)
    again, other = kind(C, 16, seed=5), kind(C, 16, seed=6)
    last = maps().float()
    torch.testing.assert_close(first(last), again(last), rtol=0, atol=0)
    assert not torch.equal(first(last), other(last))
    other.load_state_dict(first.state_dict())
    torch.testing.assert_close(first(last), other(last), rtol=0, atol=0)


def test_kernel_pooling_is_the_series_of_a_gaussian_kernel() -> None:
    """Five terms of it, on average over sketches, for single positions of norm 1."""
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((2, C))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gamma, cosine = 0.5, float(vectors[0] @ vectors[1])
    series = [
        math.exp(-2 * gamma) * (2 * gamma * cosine) ** p / math.factorial(p) for p in range(5)
    ]
    assert sum(series) == pytest.approx(
        math.exp(-gamma * float(((vectors[0] - vectors[1]) ** 2).sum())), abs=5e-3
    )
    last = torch.tensor(vectors)[:, :, None, None]
    found = []
    with torch.no_grad():
        for seed in range(300):
            rows = KernelPooling(C, 64, gamma, seed).double().expanded(last).numpy()
            found.append(float(rows[0] @ rows[1]))
    assert abs(np.mean(found) - sum(series)) < 4 * np.std(found) / math.sqrt(len(found))


def isqrt_by_loops(image: Rows, iterations: int) -> Rows:
    columns = image.reshape(len(image), -1)
    count = columns.shape[1]
    centring = (np.eye(count) - np.ones((count, count)) / count) / count
    covariance = columns @ centring @ columns.T
    trace = np.trace(covariance)
    y, z, identity = covariance / trace, np.eye(len(image)), np.eye(len(image))
    for _ in range(iterations):
        step = 0.5 * (3 * identity - z @ y)
        y, z = y @ step, step @ z
    return np.asarray(math.sqrt(trace) * y)


@pytest.mark.parametrize("iterations", [1, 5])
def test_isqrt_cov_by_its_definition(iterations: int) -> None:
    last = maps()
    found = IsqrtCov(C, 0, iterations)(last).numpy()
    want = np.stack([upper(isqrt_by_loops(image, iterations)) for image in last.numpy()])
    np.testing.assert_allclose(found, want, atol=1e-9)


def test_isqrt_cov_goes_to_the_square_root() -> None:
    last = maps()
    found = IsqrtCov(C, 0, 25)(last).numpy()
    want = [
        upper(matrix_root_by_scipy(np.cov(image.reshape(C, -1), bias=True)))
        for image in last.numpy()
    ]
    np.testing.assert_allclose(found, np.stack(want), atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_isqrt_cov_is_not_done_in_half_precision(dtype: torch.dtype) -> None:
    """Neither under autocast nor for a map of half precision: there the iteration diverges."""
    last = maps().to(dtype)
    pooling = IsqrtCov(C, 0, 20)
    want = pooling(last.float())
    with torch.autocast("cpu", torch.bfloat16):
        found = pooling(last)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, want, rtol=0, atol=0)


def test_a_map_without_variation_has_no_covariance() -> None:
    assert IsqrtCov(C, 0)(torch.ones(1, C, 2, 2)).abs().max() < 1e-5


def test_a_matrix_root_squares_to_the_matrix() -> None:
    products = torch.tensor(np.stack([mean_product(image) for image in maps().numpy()]))
    root = matrix_root(products)
    torch.testing.assert_close(root @ root, products)
    for one, matrix in zip(root.numpy(), products.numpy(), strict=True):
        np.testing.assert_allclose(one, matrix_root_by_scipy(matrix), atol=1e-9)


@pytest.mark.parametrize("values", [[1.0, 2.0, 5.0], [3.0, 3.0, 3.0], [0.5, 0.5, 4.0]])
def test_the_gradient_of_a_root_is_right_where_eigenvalues_are_equal(values: list[float]) -> None:
    """The derivative of eigenvectors divides by their differences, and is not a number here."""
    q, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator()))
    matrix = (q * torch.tensor(values, dtype=torch.float64)) @ q.T

    def root_of_symmetric(free: Tensor) -> Tensor:
        return matrix_root((free + free.T)[None] / 2)

    assert torch.autograd.gradcheck(root_of_symmetric, matrix.requires_grad_())


def test_a_matrix_that_is_not_finite_does_not_touch_the_others() -> None:
    matrices = torch.eye(3).repeat(3, 1, 1) * 4
    matrices[1, 0, 0] = torch.nan
    found = matrix_root(matrices)
    assert found[1].isnan().all()
    torch.testing.assert_close(found[[0, 2]], torch.eye(3).repeat(2, 1, 1) * 2)


def test_a_matrix_of_low_rank_has_a_finite_gradient() -> None:
    last = torch.randn(1, 8, 1, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    G2denet(8, 0)(last).square().sum().backward()
    assert last.grad is not None
    assert last.grad.isfinite().all()


def test_improved_bilinear_by_its_definition() -> None:
    last = maps()
    found = ImprovedBilinear(C, 0, eps=0.01)(last).numpy()
    want = []
    for image in last.numpy():
        product = mean_product(image)
        floor = 0.01 * np.trace(product) / C * np.eye(C)
        root = root_and_norm(matrix_root_by_scipy(product + floor)).reshape(C, C)
        want.append(raised(root))
    np.testing.assert_allclose(found, np.stack(want), atol=1e-6)


def test_g2denet_by_its_definition() -> None:
    last = maps()
    found = G2denet(C, 0)(last).numpy()
    for image, row in zip(last.numpy(), found, strict=True):
        columns = image.reshape(C, -1)
        mean = columns.mean(axis=1)
        covariance = np.cov(columns, bias=True)
        block = np.block(
            [[covariance + np.outer(mean, mean), mean[:, None]], [mean[None], np.ones((1, 1))]]
        )
        np.testing.assert_allclose(row, raised(matrix_root_by_scipy(block)), atol=1e-8)


def test_hierarchical_bilinear_by_its_definition() -> None:
    pooling = HierarchicalBilinear(C, 2, dim=6).double()
    last = maps()
    early = torch.randn(B, 2, 2 * H, 2 * W, dtype=torch.float64, generator=torch.Generator())
    with torch.no_grad():
        found = pooling(last, early).numpy()
    u, v = (
        conv.weight.detach().numpy()[:, :, 0, 0] for conv in (pooling.of_last, pooling.of_early)
    )
    a, b = (conv.bias.detach().numpy() for conv in (pooling.of_last, pooling.of_early))
    for row, x, y in zip(found, last.numpy(), early.numpy(), strict=True):
        total = np.zeros(6)
        for i in range(H):
            for j in range(W):
                cell = y[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean(axis=(1, 2))
                total += (u @ x[:, i, j] + a) * (v @ cell + b)
        np.testing.assert_allclose(row, root_and_norm(total / (H * W)), atol=1e-6)


def test_grouped_bilinear_by_its_definition() -> None:
    pooling, last = GroupedBilinear(C, groups=2, width=3).double(), maps()
    with torch.no_grad():
        found = pooling(last).numpy()
    weight = pooling.grouping.weight.detach().numpy()[:, :, 0, 0]
    codes = pooling.codes.detach().numpy()
    for row, image in zip(found, last.numpy(), strict=True):
        total = np.zeros((3, 3))
        for x in image.reshape(C, -1).T:
            for group, code in enumerate(codes):
                member = weight[3 * group : 3 * group + 3] @ x + code
                total += np.outer(member, member)
        np.testing.assert_allclose(row, root_and_norm(total / (H * W)), atol=1e-6)


def test_projected_bilinear_by_its_definition() -> None:
    pooling, last = ProjectedBilinear(C, width=2).double(), maps()
    with torch.no_grad():
        found = pooling(last).numpy()
    weight = pooling.projection.weight.detach().numpy()[:, :, 0, 0]
    for row, image in zip(found, last.numpy(), strict=True):
        product = weight @ mean_product(image) @ weight.T
        np.testing.assert_allclose(row, raised(product), atol=1e-12)


def test_a_reduction_comes_first() -> None:
    pooling = Bilinear(C, reduced=2).double().eval()
    last = maps()
    with torch.no_grad():
        want = Bilinear(2)(pooling.reduction(last))
        torch.testing.assert_close(pooling(last), want)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Bilinear(C, reduced=-1), "reduced of bilinear must be in 0..65536; got -1"),
        (lambda: CompactBilinear(C, dim=0), "dim of compact_bilinear must be in 1..65536; got 0"),
        (lambda: IsqrtCov(C, 0, 0), "iterations of isqrt_cov must be in 1..100; got 0"),
        (lambda: KernelPooling(C, gamma=0), "gamma of kernel_pooling must be above 0; got 0"),
        (
            lambda: ImprovedBilinear(C, eps=0),
            "eps of improved_bilinear must be in",
        ),
        (
            lambda: Bilinear(C).out_dim((3, 7)),
            "channels of bilinear must be those of the last",
        ),
        (
            lambda: HierarchicalBilinear(C, 2, 6).out_dim((3, 4)),
            "channels of hierarchical_bilinear must be those of the maps, early 3 and last 4",
        ),
        (
            lambda: GroupedBilinear(C, groups=4096, width=32),
            "groups x width of grouped_bilinear must be at most",
        ),
    ],
)
def test_sizes_that_cannot_be(build, sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        build()
