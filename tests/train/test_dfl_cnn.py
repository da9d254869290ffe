"""Patch detectors: three answers, three losses, and filters that are not random at first."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads.dfl_cnn import DflCnn as DflCnnHead
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes._clusters import clusters
from train.schemes.dfl_cnn import DflCnn, outstanding

B, C, EARLY, K, FILTERS = 4, 5, 6, 3, 2
TARGETS = torch.tensor([2, 0, 2, 2])


def maps() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    last = torch.rand(B, C, 2, 3, generator=generator, dtype=torch.float64)
    return last, torch.rand(B, EARLY, 4, 6, generator=generator, dtype=torch.float64)


def made() -> DflCnnHead:
    torch.manual_seed(0)
    head = DflCnnHead(C, EARLY, K, FILTERS, side_weight=0.5).double().eval()
    torch.nn.init.normal_(head.pooling.norm.bias)
    torch.nn.init.uniform_(head.pooling.norm.weight, 0.5, 2)
    return head


def seen() -> Seen:
    last, early = maps()
    return Seen(last, TARGETS, torch.arange(B), lambda _: (last, early), epoch=0, progress=0.0)


def test_three_answers_by_their_definition() -> None:
    head = made()
    last, early = maps()
    with torch.no_grad():
        found = [one.numpy() for one in head.streams(last, early)]
        total = head(last, early).numpy()
    filters, norm = head.pooling.detect.weight.detach().numpy()[:, :, 0, 0], head.pooling.norm
    scale = (norm.weight / (1 + norm.eps) ** 0.5).tolist()
    for row in range(B):
        responses = np.zeros(K * FILTERS)
        for n in range(K * FILTERS):
            values = [
                scale[n] * float(filters[n] @ early[row, :, i, j].numpy()) + norm.bias[n].item()
                for i in range(4)
                for j in range(6)
            ]
            responses[n] = max(values)
        average = [np.mean(last[row, c].numpy()) for c in range(C)]
        for k in range(K):
            weight, bias = head.whole.weight[k].tolist(), head.whole.bias[k].item()
            whole = float(np.dot(weight, average)) + bias
            weight, bias = head.patches.weight[k].tolist(), head.patches.bias[k].item()
            patches = float(np.dot(weight, responses)) + bias
            side = sum(responses[FILTERS * k + n] for n in range(FILTERS)) / FILTERS
            assert [one[row, k] for one in found] == pytest.approx([whole, patches, side])
            assert total[row, k] == pytest.approx(whole + patches + 0.5 * side)


def test_three_losses_of_one_weight_each() -> None:
    head, scheme = made(), DflCnn(CrossEntropy(), K)
    scheme.placed.fill_(True)
    want = sum(F.cross_entropy(one, TARGETS) for one in head.streams(*maps()))
    torch.testing.assert_close(scheme(head, seen(), 0), want)


def test_what_stands_out_by_its_definition() -> None:
    early = maps()[1]
    early[1, :, 0, 0] = 0
    norms = early.norm(dim=1).tolist()
    peaks = []
    for row in range(B):
        for i in range(4):
            for j in range(6):
                around = [
                    norms[row][a][b]
                    for a in range(max(0, i - 1), min(4, i + 2))
                    for b in range(max(0, j - 1), min(6, j + 2))
                ]
                if norms[row][i][j] == max(around):
                    peaks.append((norms[row][i][j], early[row, :, i, j] / norms[row][i][j]))
    peaks.sort(key=lambda peak: -peak[0])
    torch.testing.assert_close(outstanding(early), torch.stack([vector for _, vector in peaks]))
    assert outstanding(torch.zeros(2, EARLY, 1, 1)).shape == (0, EARLY)


def test_clusters_that_are_far_apart_are_found() -> None:
    """Also where any start but the farthest points ends in a worse clustering."""
    generator = torch.Generator().manual_seed(1)
    middles = torch.tensor([[0, 0], [1, 0], [40, 0], [41, 0], [0, 90], [1, 90]]).double()
    points = middles[:, None] + torch.randn(6, 20, 2, generator=generator).double() / 40
    order = torch.randperm(120, generator=generator)
    centres, owners = clusters(points.flatten(0, 1)[order], 6)
    for group, mean in enumerate(points.mean(dim=1)):
        (number,) = set(owners[order // 20 == group].tolist())
        torch.testing.assert_close(centres[number], mean)


def test_the_same_point_many_times_is_one_cluster() -> None:
    centres, owners = clusters(torch.ones(5, 2), 3)
    assert torch.equal(centres, torch.ones(3, 2))
    assert len(set(owners.tolist())) == 1


def test_filters_of_a_class_start_once_as_what_its_pictures_show() -> None:
    head, scheme = made(), DflCnn(CrossEntropy(), K)
    filters = head.pooling.detect.weight
    before, early = filters.detach().clone(), maps()[1]
    scheme(head, seen(), 0)
    for label, kept in ((0, TARGETS == 0), (2, TARGETS == 2)):
        want = F.normalize(clusters(outstanding(early[kept]), FILTERS)[0])
        torch.testing.assert_close(filters[FILTERS * label : FILTERS * (label + 1), :, 0, 0], want)
    assert torch.equal(filters[FILTERS : 2 * FILTERS], before[FILTERS : 2 * FILTERS])
    assert scheme.placed.tolist() == [True, False, True]
    with torch.no_grad():
        filters.fill_(7)
    scheme(head, seen(), 0)
    assert (filters == 7).all()


def test_a_map_of_one_place_leaves_the_other_filters_random() -> None:
    head, scheme = made(), DflCnn(CrossEntropy(), K)
    before = head.pooling.detect.weight.detach().clone()
    last, early = (one[1:2, :, :1, :1] for one in maps())
    one = Seen(last, TARGETS[1:2], torch.arange(1), lambda _: (last, early), 0, 0.0)
    assert scheme(head, one, 0).isfinite()
    found = head.pooling.detect.weight[:FILTERS, :, 0, 0]
    torch.testing.assert_close(found[0], F.normalize(early[0, :, 0, 0], dim=0))
    assert torch.equal(found[1], before[1, :, 0, 0])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"filters": 0}, "filters of dfl_cnn must be 1 or more; got 0"),
        ({"side_weight": -1.0}, "side_weight of dfl_cnn must be 0 or more; got -1"),
    ],
)
def test_what_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        DflCnnHead(C, EARLY, K, **options)  # type: ignore[arg-type]
