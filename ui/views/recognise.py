"""A photo in, its sub-category out, or that it is none of the known ones."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from indexer.collection import Vectors
from indexer.filters import Equal
from indexer.recognition import Likely, Recogniser, Recognition
from retrieval.errors import BadInputError
from retrieval.figures import percent
from retrieval.images import ImageError
from ui.pictures import pictures
from ui.remembered import remembered
from ui.resources import opened, readers, recogniser
from ui.views._page_view import PageView
from ui.widgets import card_of, plain, safely

if TYPE_CHECKING:
    from ui.opened import Opened

ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of wrong refusals one can allow."""

SHOWN = 5
"""Labels that are listed."""

EVIDENCE = 8
"""Pictures of each of them."""

TYPES = ["jpg", "jpeg", "png", "webp", "bmp", "gif"]

_PHOTO, _ALPHA = "recognise_photo", "recognise_alpha"
_VECTOR = "recognise.vector"
_SIDE = 480


class Recognise(PageView):
    """The photo at the left, what it may be at the right."""

    title = "Recognise"
    icon = ":material/label:"
    order = 30

    def show(self, folder: Path) -> None:
        left, right = st.columns((2, 5), gap="medium")
        with left:
            given = st.file_uploader(
                "A photo", type=TYPES, key=_PHOTO, max_upload_size=20, help="At most 20 MB."
            )
            photo = None if given is None else (given.file_id, given.name, given.getvalue())
            _preview(photo)
            alpha = st.select_slider(
                "Known things that may be called unknown",
                ALPHAS,
                0.05,
                format_func=lambda share: f"{100 * share:g} %",
                key=_ALPHA,
                help="Alpha: a photo with a p-value up to it is said to be none of the known.",
            )
            st.caption(
                f"At most {100 * alpha:g} in 100 photos of what is in this collection are wrongly "
                "called unknown. Allow more, and more strangers are told."
            )
        with right:
            safely(_answer, folder, photo, alpha)


Photo = tuple[str, str, bytes]
"""Id of the upload, name and content of a file."""


def _preview(photo: Photo | None) -> None:
    if photo is None:
        return
    with suppress(ImageError):  # the answer says what is wrong
        picture = readers().pixels(photo[2], photo[1], _SIDE)
        picture.thumbnail((_SIDE, _SIDE))
        st.image(picture, width="stretch", alt="The photo that is asked about")


def _answer(folder: Path, photo: Photo | None, alpha: float) -> None:
    this = opened(folder)
    known = recogniser(folder, this)
    if photo is None:
        st.subheader("What is on the photo?", anchor=False)
        st.markdown(
            f"Add a photo. It is compared with {known.count:,} labelled pictures of "
            f"{len(known.names):,} labels; the answer is a label with a probability, or that it "
            "is none of them. The photo is not kept."
        )
        return
    vector = _vector(this, photo)
    found = known.recognise(vector)
    _verdict(found, known, alpha)
    listed = found.labels[:SHOWN]
    before = sum(likely.probability >= found.none for likely in listed)  # in the order of all bars
    for place, likely in enumerate(listed[:before]):
        _likely(this, vector, likely, place)
    with st.container(border=True):
        _bar("None of these labels", found.none)
    for place, likely in enumerate(listed[before:], before):
        _likely(this, vector, likely, place)
    st.caption(
        f"Probabilities are votes of the {known.k} nearest pictures, calibrated by leaving out "
        "each picture of the collection, and each label, in turn; one photo in two is expected to "
        "be a stranger."
    )


def _vector(this: "Opened", photo: Photo) -> Vectors:
    """Made once for a photo, whatever is asked of it."""
    return remembered(
        _VECTOR, (photo[0], this.collection.fingerprint), lambda: _encoded(this, photo)
    )


def _encoded(this: "Opened", photo: Photo) -> Vectors:
    draft_size = this.photo_transform.draft_size
    vector = this.vector_of_photo(readers().pixels(photo[2], photo[1], draft_size))
    if vector is None:
        raise BadInputError(
            f"{photo[1]} must show something to compare; got a picture without features. "
            "Take another photo."
        )
    return vector


def _verdict(found: Recognition, known: Recogniser, alpha: float) -> None:
    best = found.labels[0] if found.labels else Likely(found.nearest, 0.0)
    if found.p is None or known.least_p is None:
        st.subheader(plain(best.label), anchor=False)
        st.info(
            "Whether it is any of the known labels cannot be told: each picture is alone with its "
            "label, so nothing says how far apart pictures of one label are."
        )
        return
    share = f"{percent(found.p)} %"
    if found.p <= alpha:
        st.subheader("None of the known labels", anchor=False)
        st.warning(
            f"It is unlike them: no more than {share} of the photos in this collection are at "
            f"least as far from the nearest of their label (p = {found.p:.3g}). Nearest is "
            f"{plain(found.nearest)}.",
            icon=":material/help:",
        )
        return
    unsure = found.none > best.probability
    st.subheader(plain(f"Perhaps {best.label}" if unsure else best.label), anchor=False)
    words = (
        f"It may be one of the known labels: {share} of the photos in this collection are at "
        f"least as far from the nearest of their label (p = {found.p:.3g}, above {alpha:g})."
    )
    if unsure:
        words += " That it is none of them is likelier than any one of them."
    if known.least_p > alpha:
        words += (
            f" With {known.count:,} pictures no p-value is below {known.least_p:.2g}, so nothing "
            "is refused here: allow more."
        )
    st.caption(plain(words))


def _likely(this: "Opened", vector: Vectors, likely: Likely, place: int) -> None:
    with st.container(border=True):
        _bar(likely.label, likely.probability)
        hits = this.search(vector, EVIDENCE, Equal("label", likely.label))
        cards = [card_of(this.collection, hit.item) | {"note": f"{hit.score:.3f}"} for hit in hits]
        title = f"Nearest pictures of {likely.label}"
        pictures(
            f"recognise_evidence_{place}",
            [card | {"label": ""} for card in cards],
            title=title,
            strip=True,
        )


def _bar(label: str, probability: float) -> None:
    st.progress(min(1.0, probability), f"**{plain(label)}** — {percent(probability)} %")
