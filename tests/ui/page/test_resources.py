"""What all sessions of the page share."""

import shutil
import threading
from pathlib import Path

import pytest

from indexer.collection import Item
from indexer.disk import DiskCollection
from indexer.filters import Condition, Equal
from indexer.rows import Row, as_text
from retrieval.encoder import Encoder
from retrieval.encoding import encode_drawings
from retrieval.strokes import Drawing, Stroke
from ui import resources
from ui.opened import Opened
from ui.resources import opened
from ui.widgets import cards_of, plain, some_cards

DRAWING = Drawing((Stroke([[20, 112], [236, 112], [236, 144], [20, 144]]),))


@pytest.fixture(autouse=True)
def fresh():
    resources._opened.clear()
    yield
    resources._opened.clear()


def test_a_collection_is_opened_once_and_again_when_it_is_another(shapes: Path, tmp_path: Path):
    folder = Path(shutil.copytree(shapes, tmp_path / "shop"))
    first = opened(folder)
    assert opened(folder) is first
    with DiskCollection.open(folder, write=True) as writer:
        writer.remove(["disc/0.png"])
    assert opened(folder) is first  # the encoder stays
    assert len(first.collection) == 15  # and the change is seen
    shutil.rmtree(folder)
    shutil.copytree(shapes, folder)
    assert opened(folder) is not first
    assert len(opened(folder).collection) == 16


def test_a_drawing_gets_the_vector_that_search_gives_it(shapes: Path):
    this = opened(shapes)
    vector = this.vector_of(DRAWING)
    assert vector is not None
    known = encode_drawings(this.encoder, [DRAWING], runtime="eager").vectors
    assert (vector == known).all()
    assert this.vector_of(Drawing(())) is None


def test_one_drawing_is_encoded_at_a_time(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    this = opened(shapes)
    inside, most = [0], [0]
    real = Encoder.vectors

    def counted(*given):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        try:
            return real(*given)
        finally:
            inside[0] -= 1

    monkeypatch.setattr(Encoder, "vectors", counted)
    threads = [threading.Thread(target=this.vector_of, args=(DRAWING,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_cards_name_hits_in_their_order(shapes: Path):
    this: Opened = opened(shapes)
    vector = this.vector_of(DRAWING)
    assert vector is not None
    hits = this.search(vector, 5)
    cards = cards_of(this.collection, hits)
    assert [(card["id"], card["rank"]) for card in cards] == [
        (hit.item.id, hit.rank) for hit in hits
    ]
    spread = some_cards(this.collection, 4)
    assert [card["label"] for card in spread] == ["cross", "disc", "lying", "standing"]
    assert len(some_cards(this.collection, 99)) == 16


@pytest.mark.parametrize(
    ("where", "count"), [(None, 5), (Equal("label", "disc"), 3), (Equal("label", "no"), 5)]
)
def test_of_a_collection_only_the_items_on_cards_are_read(
    shapes: Path, monkeypatch: pytest.MonkeyPatch, where: Condition | None, count: int
):
    collection = opened(shapes).collection
    items = list(collection.each_item(where))
    last, most = len(items) - 1, min(count, len(items))
    want = [items[int(place * last / (most - 1))].id for place in range(most)]
    if where is not None:
        collection.items_where(where)  # the condition's own columns are read once
    read: list[str] = []
    real = Row.item

    def counted(row: Row) -> Item:
        read.append(as_text(row.id))
        return real(row)

    monkeypatch.setattr(Row, "item", counted)
    assert [card["id"] for card in some_cards(collection, count, where)] == want
    assert read == want


def test_marks_of_markdown_are_shown_as_they_are():
    assert plain("[a](b) `c`\x1b") == r"\[a\]\(b\) \`c\`\\x1b"
