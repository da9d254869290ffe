"""Search with a photo, or a part of one."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from indexer.collection import SearchHit, Vectors
from indexer.filters import Condition
from retrieval.errors import FgirError
from ui.asked import Asked, ask_with, asked, forget, uploader
from ui.examples import ACTIONS, examples, forget_examples, given_examples, mark, moved
from ui.filtering import filters, said_of, say_that_nothing_fulfils
from ui.hits import Click, hits
from ui.region import Region, chosen_region, region
from ui.remembered import remembered
from ui.resources import opened, readers
from ui.result_list import as_csv, as_json
from ui.views._page_view import PageView
from ui.why import ask_why, asked_why, why
from ui.widgets import cards_of, safely, some_cards

if TYPE_CHECKING:
    from retrieval.regions import ObjectRegions
    from ui.opened import Opened

COUNTS = (12, 24, 48)
"""Results on a page."""

LISTED = 1000
"""Most results that are found, paged through and saved."""

_FORMS = (("CSV", "text/csv", as_csv), ("JSON", "application/json", as_json))
_ASK = Click("", "Search with this one", "Click to search with this picture.")
_WHY = Click("why", "Why this hit", "Click to see why it was found.")

_REGION, _HITS = "photo_region", "photo_hits"
_COUNT, _PAGE, _LIST = "photo_count", "photo_page", "photo.list"
_KEY, _VECTOR, _REGIONS, _OF = "photo", "photo.vector", "photo.regions", "photo.of"


class Photo(PageView):
    """The photo at the left, what it finds at the right."""

    title = "Photo"
    icon = ":material/photo_camera:"
    order = 20

    def show(self, folder: Path) -> None:
        left, right = st.columns((4, 7), gap="medium")
        with left:
            uploader()
        photo = asked()
        _begin_anew(photo)
        this = opened(folder)
        if not len(this.collection):
            st.info("This collection is empty. Add photos with fgir add COLLECTION PHOTOS.")
            return
        if photo is None:
            with right:
                _invitation(this)
            return
        given = chosen_region(_REGION, photo.mark)
        with left:
            safely(_surface, this, photo, given)
        with right:
            safely(_answer, this, photo, given, left)


def _begin_anew(photo: Asked | None) -> None:
    """What was said of one photo is not said of the next."""
    now = None if photo is None else photo.mark
    if st.session_state.get(_OF) != now:
        st.session_state[_OF] = now
        forget_examples()
        ask_why(_KEY, None)
        for kept in (_VECTOR, _REGIONS):
            st.session_state.pop(kept, None)


def _invitation(this: "Opened") -> None:
    st.subheader("Which one is it?", anchor=False)
    st.caption(
        f"Drop, choose or paste a photo, or begin with one of the {len(this.collection):,} here."
    )
    hits(
        "photo_examples_of_collection",
        some_cards(this.collection, 2 * COUNTS[0]),
        title="Pictures of the collection",
        number=0,
        chosen=None,
        on_choose=lambda id_: None if id_ is None else ask_with(this, id_),
        click=_ASK,
    )


def _surface(this: "Opened", photo: Asked, given: Region) -> None:
    shown = st.container()
    if photo.example is not None:
        st.button("Take another photo", icon=":material/arrow_back:", on_click=forget)
    found = None
    if given.mode == "object":
        with suppress(FgirError):  # said where the answer would be
            found = _regions(this, photo)
    with shown:
        region(_REGION, photo=photo.mark, picture=photo.picture, given=given, found=found)


def _answer(
    this: "Opened", photo: Asked, given: Region, left: st.delta_generator.DeltaGenerator
) -> None:
    with left, st.expander("Filters", icon=":material/filter_alt:"):
        where = filters(this, _KEY)
    vector = _vector(this, photo, given)
    if vector is None:
        st.info("There is nothing on this part of the photo that could be compared.")
        return
    total = len(this.collection)
    found = this.search(moved(this, vector), min(LISTED, total), where)
    head = st.container(horizontal=True, vertical_alignment="bottom", key="photo_head")
    with head.container():
        st.subheader("Nearest to your photo", anchor=False)
        st.caption(_said(len(found), total, where))
    count = head.segmented_control(
        "Results", COUNTS, default=COUNTS[0], required=True, key=_COUNT, width="content"
    )
    given_examples(this)
    if not found:
        say_that_nothing_fulfils()
        return
    pages = -(-len(found) // count)
    page = _page(pages, repr((photo.mark, given, where, examples(), pages, count)))
    part = found[(page - 1) * count : page * count]
    cards = cards_of(this.collection, part, facts=True)
    marks = examples()
    hits(
        _HITS,
        [card | {"pressed": [marks[card["id"]]] if card["id"] in marks else []} for card in cards],
        title="Nearest to your photo",
        number=page,
        chosen=asked_why(_KEY),
        on_choose=partial(ask_why, _KEY),
        click=_WHY,
        actions=ACTIONS,
        on_act=mark,
    )
    _save(found)
    note = "Explained for the photo alone, without your examples." if marks else ""
    why(_KEY, this, part, partial(_picture, this, photo, given), note=note)


def _said(found: int, total: int, where: Condition | None) -> str:
    best = "the best " if found == LISTED < total else ""
    return best + said_of(found, total, where)


def _page(pages: int, asked_for: str) -> int:
    """Of the list, from 1; another question begins at 1."""
    if st.session_state.get(_LIST) != asked_for:
        st.session_state[_LIST] = asked_for
        st.session_state[_PAGE] = 1
    return st.pagination(pages, key=_PAGE, max_visible_pages=5) if pages > 1 else 1


def _save(found: Sequence[SearchHit]) -> None:
    with st.container(horizontal=True):
        for name, kind, made in _FORMS:
            st.download_button(
                f"Save as {name}",
                partial(made, found),
                f"hits.{name.lower()}",
                kind,
                key=f"photo_save_{name}",
                icon=":material/download:",
                on_click="ignore",
            )


def _vector(this: "Opened", photo: Asked, given: Region) -> Vectors | None:
    of = photo.mark, given, this.collection.fingerprint
    return remembered(_VECTOR, of, lambda: this.vector_of_photo(_picture(this, photo, given)))


def _picture(this: "Opened", photo: Asked, given: Region) -> Image.Image:
    """What is searched with, before the transform."""
    if given.mode == "whole":
        return _whole(this, photo)
    from retrieval.regions import cropped, cut_out

    picture = readers().pixels(photo.data, photo.name)
    if given.mode == "box":
        return cropped(picture, given.box)
    return cut_out(picture, _regions(this, photo), given.number)


def _regions(this: "Opened", photo: Asked) -> "ObjectRegions":
    of = photo.mark, this.collection.fingerprint
    return remembered(_REGIONS, of, lambda: this.regions_of(_whole(this, photo)))


def _whole(this: "Opened", photo: Asked) -> Image.Image:
    return readers().pixels(photo.data, photo.name, this.photo_transform.draft_size)
