"""The losses of TASN, by their definition."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from retrieval.heads.tasn import Tasn as Head
from retrieval.heads.tasn import structure
from tests.retrieval.test_every_head import CHANNELS, CLASSES, pictures
from tests.retrieval.test_every_head import seen as maps
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.tasn import Tasn, taught


def test_a_student_is_taught_by_its_definition() -> None:
    student, teacher = torch.randn(2, 3, 4, dtype=torch.float64)
    want = 0.0
    for s, t in zip(student.numpy(), teacher.numpy(), strict=True):
        wanted = np.exp(t / 10) / np.exp(t / 10).sum()
        want -= float(wanted @ np.log(np.exp(s / 10) / np.exp(s / 10).sum())) / 3
    loss = taught(student, teacher, 10.0)
    assert float(loss) == pytest.approx(want)


def test_the_teacher_does_not_learn_from_its_student() -> None:
    student = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    taught(student, teacher, 10.0).backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None
    assert student.grad is not None


def test_the_whole_loss_by_its_definition() -> None:
    torch.manual_seed(0)
    head = Head(CHANNELS[1], CLASSES, width=3, share=1.0).double().eval()
    scheme = Tasn(CrossEntropy(), CHANNELS[1], CLASSES).double()
    images, targets = pictures(), torch.tensor([0, 3, 1])
    one = Seen(images, targets, torch.arange(3), maps, epoch=0, progress=0.0)
    with torch.no_grad():
        torch.manual_seed(7)
        found = float(scheme(head, one, 0))
        torch.manual_seed(7)
        drawn = torch.randint(3, (3,))
        attentions = head.trilinear(head.features(maps(images)[0]))
        detail = torch.stack([attentions[row, drawn[row]] for row in range(3)])
        views = [head.stretched(images, one) for one in (detail, structure(attentions))]
        d, s = (maps(view)[0].mean(dim=(2, 3)) for view in views)
        want = F.cross_entropy(head(maps(images)[0]), targets)
        for logits in (scheme.of_detail(d), scheme.of_structure(s)):
            want = want + F.cross_entropy(logits, targets) / 2
        for described in (d, s):
            want = want + F.cross_entropy(head.classifier(described), targets) / 2
        want = want + taught(scheme.of_structure(s), scheme.of_detail(d), 10.0)
    assert found == pytest.approx(float(want))
