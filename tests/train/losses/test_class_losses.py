"""Losses with learned weights for each class against their equations, as plain loops in float64."""

import math

import pytest
import torch
from torch import Tensor, nn

from retrieval.errors import BadInputError
from train.losses.arcface import ArcFace
from train.losses.center import Center
from train.losses.crl import CRL
from train.losses.dgcrl import DGCRL
from train.losses.normalised_softmax import NormalisedSoftmax
from train.losses.pce_style import PCEStyle
from train.losses.proxy_anchor import ProxyAnchor
from train.losses.proxy_nca import ProxyNCA
from train.losses.soft_triple import SoftTriple
from train.losses.triplet_softmax import TripletSoftmax

Batch = tuple[Tensor, Tensor]
C, D = 4, 6


def cosine(a: Tensor, b: Tensor) -> float:
    dot = sum(float(u) * float(v) for u, v in zip(a, b, strict=True))
    return dot / math.sqrt(sum(float(u) ** 2 for u in a) * sum(float(v) ** 2 for v in b))


def squared(a: Tensor, b: Tensor) -> float:
    return sum((float(u) - float(v)) ** 2 for u, v in zip(a, b, strict=True))


def weights(loss: nn.Module) -> Tensor:
    """The learned rows (C, D), drawn anew."""
    (parameter,) = loss.double().parameters()
    torch.manual_seed(1)
    nn.init.normal_(parameter)
    return parameter.detach() if parameter.shape[1] == D else parameter.detach().T


def cross_entropy(logits: list[float], target: int) -> float:
    return -math.log(math.exp(logits[target]) / sum(math.exp(logit) for logit in logits))


def softmax_by_loops(x: Tensor, y: Tensor, w: Tensor, scale: float) -> float:
    losses = [
        cross_entropy([scale * cosine(x[i], w[c]) for c in range(len(w))], int(y[i]))
        for i in range(len(x))
    ]
    return sum(losses) / len(x)


def test_normalised_softmax(batch: Batch) -> None:
    loss = NormalisedSoftmax(C, D, temperature=0.2)
    want = softmax_by_loops(*batch, weights(loss), 5.0)
    assert loss(*batch).item() == pytest.approx(want, rel=1e-9)


def test_normalised_softmax_is_the_librarys(batch: Batch) -> None:
    from pytorch_metric_learning.losses import NormalizedSoftmaxLoss

    own, other = NormalisedSoftmax(C, D), NormalizedSoftmaxLoss(C, D).double()
    other.W.data = weights(own).T
    torch.testing.assert_close(own(*batch), other(*batch))


def test_proxy_anchor(batch: Batch) -> None:
    x, y = batch
    loss = ProxyAnchor(C, D, margin=0.2, scale=4.0)
    proxies = weights(loss)
    near, far, with_positives = 0.0, 0.0, 0
    for c in range(C):
        own = [cosine(x[i], proxies[c]) for i in range(len(x)) if y[i] == c]
        others = [cosine(x[i], proxies[c]) for i in range(len(x)) if y[i] != c]
        with_positives += bool(own)
        near += math.log(1 + sum(math.exp(-4.0 * (s - 0.2)) for s in own))
        far += math.log(1 + sum(math.exp(4.0 * (s + 0.2)) for s in others))
    assert with_positives == 3
    assert loss(x, y).item() == pytest.approx(near / with_positives + far / C, rel=1e-9)


def test_proxy_nca(batch: Batch) -> None:
    x, y = batch
    loss = ProxyNCA(C, D, scale=3.0)
    proxies = weights(loss)
    proxies = proxies / proxies.norm(dim=1, keepdim=True)
    losses = [
        cross_entropy([-3.0 * squared(x[i], proxies[c]) for c in range(C)], int(y[i]))
        for i in range(len(x))
    ]
    assert loss(x, y).item() == pytest.approx(sum(losses) / len(x), rel=1e-9)


def test_soft_triple(batch: Batch) -> None:
    x, y = batch
    loss = SoftTriple(C, D, centers=3, scale=5.0, gamma=0.5, margin=0.1, merging=0.2)
    centers = weights(loss).reshape(C, 3, D)
    total = 0.0
    for i in range(len(x)):
        logits = []
        for c in range(C):
            cosines = [cosine(x[i], center) for center in centers[c]]
            shares = [math.exp(s / 0.5) for s in cosines]
            similarity = sum(a * s for a, s in zip(shares, cosines, strict=True)) / sum(shares)
            logits.append(5.0 * (similarity - 0.1 * (c == y[i])))
        total += cross_entropy(logits, int(y[i]))
    spread = [
        math.sqrt(2 - 2 * cosine(centers[c, j], centers[c, k]))
        for c in range(C)
        for j in range(3)
        for k in range(j + 1, 3)
    ]
    want = total / len(x) + 0.2 * sum(spread) / len(spread) / 2
    assert loss(x, y).item() == pytest.approx(want, rel=1e-6)


def test_arcface(batch: Batch) -> None:
    x, y = batch
    loss = ArcFace(C, D, margin=1.5, scale=6.0)
    w = weights(loss)
    total, beyond = 0.0, 0
    for i in range(len(x)):
        logits = []
        for c in range(C):
            angle = math.acos(cosine(x[i], w[c]))
            logit = math.cos(angle)
            if c == y[i] and angle <= math.pi - 1.5:
                logit = math.cos(angle + 1.5)
            elif c == y[i]:
                logit, beyond = math.cos(angle) - 1.5 * math.sin(1.5), beyond + 1
            logits.append(6.0 * logit)
        total += cross_entropy(logits, int(y[i]))
    assert 0 < beyond < len(x)
    assert loss(x, y).item() == pytest.approx(total / len(x), rel=1e-6)


def test_crl(batch: Batch) -> None:
    x, y = batch
    centers = {c: x[y == c].mean(dim=0) for c in y.tolist()}
    total, count = 0.0, 0
    for i in range(len(x)):
        for c, center in centers.items():
            if c != y[i]:
                own = squared(x[i], centers[int(y[i])]) / 2
                total += max(0.0, 0.4 + own - squared(x[i], center) / 2)
                count += 1
    assert CRL(margin=0.4)(x, y).item() == pytest.approx(total / count, rel=1e-9)


def gram_schmidt(rows: Tensor) -> Tensor:
    basis: list[Tensor] = []
    for row in rows:
        for found in basis:
            row = row - (row @ found) * found
        basis.append(row / row.norm())
    return torch.stack(basis)


def test_dgcrl_with_a_penalty(batch: Batch) -> None:
    loss = DGCRL(C, D, scale=7.0, penalty=0.3)
    w = weights(loss)
    between = [abs(cosine(w[c], w[d])) for c in range(C) for d in range(C) if c != d]
    want = softmax_by_loops(*batch, w, 7.0) + 0.3 * sum(between) / len(between)
    assert loss(*batch).item() == pytest.approx(want, rel=1e-9)


def test_dgcrl_with_gram_schmidt(batch: Batch) -> None:
    loss = DGCRL(C, D, scale=7.0, decorrelate="gram_schmidt")
    w = gram_schmidt(weights(loss))
    assert loss(*batch).item() == pytest.approx(softmax_by_loops(*batch, w, 7.0), rel=1e-9)
    torch.testing.assert_close(loss.basis() @ loss.basis().T, torch.eye(C, dtype=torch.float64))


def test_dgcrl_gradient_of_the_centres(batch: Batch) -> None:
    loss = DGCRL(C, D, scale=2.0, decorrelate="gram_schmidt").double()
    centers = torch.randn(C, D, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def value(rows: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(loss, {"centers": rows}, batch)
        return result

    assert torch.autograd.gradcheck(value, (centers.requires_grad_(),))


def test_dgcrl_without_decorrelation_is_the_normalised_softmax(batch: Batch) -> None:
    loss = DGCRL(C, D, scale=7.0, decorrelate="none")
    want = softmax_by_loops(*batch, weights(loss), 7.0)
    assert loss(*batch).item() == pytest.approx(want, rel=1e-9)


def test_dgcrl_with_more_classes_than_dimensions() -> None:
    with pytest.raises(BadInputError, match=r"got 6 classes in 5 dimensions\. Set decorrelate ="):
        DGCRL(6, 5, decorrelate="gram_schmidt")
    with pytest.raises(BadInputError, match="no form of decorrelation called 'gram'"):
        DGCRL(4, 5, decorrelate="gram")


@pytest.mark.parametrize("slope", [0.0, 0.4, 1.0])
def test_pce_style(batch: Batch, slope: float) -> None:
    x, y = batch
    loss = PCEStyle(C, D, threshold=0.3, slope=slope, temperature=0.5)
    w = weights(loss)

    def piece(p: float) -> float:
        return -math.log(p) if p < 0.3 else -math.log(0.3) - slope * (p - 0.3) / 0.3

    chances = []
    for i in range(len(x)):
        logits = [math.exp(cosine(x[i], w[c]) / 0.5) for c in range(C)]
        chances.append(logits[int(y[i])] / sum(logits))
    assert min(chances) < 0.3 < max(chances)
    want = sum(piece(p) for p in chances) / len(x) - piece(1.0)
    assert loss(x, y).item() == pytest.approx(want, rel=1e-9)


def test_pce_style_stops_pulling(batch: Batch) -> None:
    x, y = batch
    loss = PCEStyle(C, D, threshold=1e-9, slope=0.0).double()
    x.requires_grad_()
    loss(x, y).backward()
    assert x.grad is not None
    assert x.grad.abs().max() == 0


def test_pce_style_options() -> None:
    with pytest.raises(BadInputError, match=r"pce_style\.threshold must be in \(0, 1\]; got 0"):
        PCEStyle(C, D, threshold=0.0)
    with pytest.raises(BadInputError, match=r"pce_style\.slope must be in \[0, 1\]; got 2"):
        PCEStyle(C, D, slope=2.0)


def mean_above_0(values: list[float]) -> float:
    above = [value for value in values if value > 0]
    return sum(above) / len(above) if above else 0.0


def test_triplet_softmax(batch: Batch) -> None:
    x, y = batch
    loss = TripletSoftmax(C, D, softmax_share=0.3, margin=0.5, temperature=0.25)
    classified = softmax_by_loops(x, y, weights(loss), 4.0)
    size = range(len(x))
    ranked = mean_above_0(
        [
            0.5 + squared(x[r], x[p]) - squared(x[r], x[n])
            for r in size
            for p in size
            for n in size
            if r != p and y[r] == y[p] and y[r] != y[n]
        ]
    )
    assert loss(x, y).item() == pytest.approx(0.3 * classified + 0.7 * ranked, rel=1e-9)


def test_triplet_softmax_with_superclasses(batch: Batch) -> None:
    x, y = batch
    above = [0, 0, 1, 1]
    loss = TripletSoftmax(C, D, above, softmax_share=0.0, margin=0.5, super_margin=0.2)
    weights(loss)
    size = range(len(x))
    inner, outer = [], []
    for r in size:
        for p in size:
            for n in size:
                gap = squared(x[r], x[p]) - squared(x[r], x[n])
                kin_p, kin_n = (above[y[r]] == above[y[k]] for k in (p, n))
                if r != p and y[r] == y[p] and y[r] != y[n] and kin_n:
                    inner.append(0.5 - 0.2 + gap)
                if y[r] != y[p] and kin_p and not kin_n:
                    outer.append(0.2 + gap)
    want = (mean_above_0(inner) + mean_above_0(outer)) / 2
    assert inner
    assert outer
    assert loss(x, y).item() == pytest.approx(want, rel=1e-9)


def test_triplet_softmax_options() -> None:
    with pytest.raises(BadInputError, match="must name one for each of 4 classes; got 2"):
        TripletSoftmax(C, D, [0, 1])
    with pytest.raises(
        BadInputError, match=r"super_margin must be in \[0, margin = 0.2\]; got 0.3"
    ):
        TripletSoftmax(C, D, super_margin=0.3)


def test_center(batch: Batch) -> None:
    x, y = batch
    loss = Center(C, D, weight=0.6, rate=0.5, temperature=0.25)
    w = weights(loss)
    means = [torch.zeros(D, dtype=torch.float64) for _ in range(C)]
    for step in range(3):
        vectors = x.roll(step, dims=1)
        classified = softmax_by_loops(vectors, y, w, 4.0)
        scattered = sum(squared(vectors[i], means[int(y[i])]) for i in range(len(x))) / 2 / len(x)
        got = loss(vectors, y).item()
        assert got == pytest.approx(classified + 0.6 * scattered, rel=1e-9), step
        for c in range(C):
            members = [vectors[i] for i in range(len(x)) if y[i] == c]
            total = sum((means[c] - member for member in members), torch.zeros(D))
            means[c] = means[c] - 0.5 * total / (1 + len(members))
    torch.testing.assert_close(loss.means, torch.stack(means))


def test_centers_stay_outside_training(batch: Batch) -> None:
    loss = Center(C, D).double().eval()
    loss(*batch)
    assert not loss.means.any()
