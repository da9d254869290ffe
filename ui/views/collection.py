"""Look through the collection, add to it and take from it, and check it."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from indexer.disk import DiskCollection
from indexer.filter_text import parse
from retrieval.errors import FgirError
from retrieval.evaluation import encoder_facts
from retrieval.html_page import cell, facts, notes, section, table
from ui.adding import add_photos, photos_folder
from ui.pictures import pictures
from ui.report_view import report_view
from ui.resources import opened, readers
from ui.text import shown
from ui.views._page_view import PageView
from ui.widgets import card_of, plain, safely

if TYPE_CHECKING:
    from indexer.duplicates import Duplicate
    from ui.opened import Opened

PAGE = 24
"""Pictures on a page."""

MOST_FILES = 50
"""Photos that are added at once."""

GROUPS = 30
"""Groups of duplicates that are shown."""

REJECTED = 200
"""Rejected pictures that are listed."""

TYPES = ["jpg", "jpeg", "png", "webp", "bmp", "gif"]

_BROWSE, _ADD, _CHECK = "Browse", "Add", "Check"
_PART, _WHERE, _NUMBER, _GRID = (f"collection_{one}" for one in ("part", "where", "page", "grid"))
_FILES, _LABEL, _LIKENESS = (f"collection_{one}" for one in ("files", "label", "likeness"))
_CHOSEN, _SAID, _UPLOADS = (f"collection.{one}" for one in ("chosen", "said", "uploads"))


class Collection(PageView):
    """One of three parts at a time."""

    title = "Collection"
    icon = ":material/photo_library:"
    order = 50

    def show(self, folder: Path) -> None:
        part = st.segmented_control(
            "What to do",
            (_BROWSE, _ADD, _CHECK),
            default=_BROWSE,
            required=True,
            key=_PART,
            label_visibility="collapsed",
        )
        _say()
        shows = {_BROWSE: _browse, _ADD: _add, _CHECK: _check}
        safely(shows[str(part)], folder)


def _say() -> None:
    """What became of the last change, once."""
    for good, sentence in st.session_state.pop(_SAID, []):
        if good:
            st.success(plain(sentence), icon=":material/check:")
        else:
            st.error(plain(sentence), icon=":material/error:")


def _remember(good: bool, sentence: str) -> None:
    st.session_state.setdefault(_SAID, []).append((good, sentence))


def _browse(folder: Path) -> None:
    this = opened(folder)
    where = st.text_input(
        "Condition",
        key=_WHERE,
        placeholder="all pictures; or such as: label = 'disc' and price < 50",
        help="As in fgir search --where: fields are id, label, path and what else is known of an "
        "item; = != < > in (...) exists, joined by and, or, not.",
        on_change=_first_page,
    )
    collection = this.collection
    ids = collection.items_where(parse(where)) if where.strip() else collection.ids()
    left, right = st.columns((3, 1), gap="medium")
    with left:
        _grid(this, ids)
    with right:
        _selection(this, folder)


def _first_page() -> None:
    st.session_state[_NUMBER] = 1


def _grid(this: "Opened", ids: list[str]) -> None:
    pages = max(1, -(-len(ids) // PAGE))
    st.session_state[_NUMBER] = min(st.session_state.get(_NUMBER, 1), pages)
    head = st.container(horizontal=True, vertical_alignment="bottom")
    with head.container():
        st.subheader(f"{len(ids):,} of {len(this.collection):,} pictures", anchor=False)
        st.caption("Click pictures to see what is known of them, or to remove them.")
    number = head.number_input(f"Page of {pages:,}", 1, pages, key=_NUMBER, width=150)
    if not ids:
        st.info("There is no such picture. Change the condition, or add pictures.")
        return
    start = PAGE * (int(number) - 1)
    items = [this.collection.get(one) for one in ids[start : start + PAGE]]
    pictures(
        _GRID,
        [card_of(this.collection, item) | {"note": ""} for item in items],
        title=f"Pictures {start + 1:,} to {start + len(items):,}",
        chosen=_chosen(this),
        on_choose=_choose,
    )


def _choose(ids: list[str]) -> None:
    st.session_state[_CHOSEN] = ids


def _chosen(this: "Opened") -> list[str]:
    """Those that are still there."""
    chosen: list[str] = st.session_state.get(_CHOSEN, [])
    return [one for one in chosen if one in this.collection]


def _selection(this: "Opened", folder: Path) -> None:
    chosen = _chosen(this)
    if not chosen:
        st.caption("Nothing is chosen.")
        return
    item = this.collection.get(chosen[-1])
    card = card_of(this.collection, item)
    if card["picture"]:
        st.image(card["picture"], width="stretch", alt=item.id)
    known = {"id": item.id, "label": item.label, "path": item.path} | {
        str(name): value for name, value in item.payload.items()
    }
    report_view("collection_item", [facts({name: shown(str(one)) for name, one in known.items()})])
    with st.container(key="collection_chosen"):
        _chosen_buttons(folder, chosen)


def _chosen_buttons(folder: Path, chosen: list[str]) -> None:
    count = _counted(len(chosen), "picture")
    st.button("Choose none", on_click=_choose, args=([],), width="stretch")
    with st.popover(f"Remove {count}", icon=":material/delete:", width="stretch"):
        st.markdown(
            f"Remove {count} from the collection? Searches no longer find them. The files of the "
            "photos stay where they are."
        )
        st.button(
            f"Yes, remove {count}",
            type="primary",
            key="collection_remove",
            on_click=_remove,
            args=(folder, chosen),
        )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _remove(folder: Path, ids: list[str]) -> None:
    try:
        with DiskCollection.open(folder, write=True) as collection:
            collection.remove(ids)
            left = len(collection)
    except FgirError as error:
        _remember(False, f"{error} Nothing was removed.")
        return
    _choose([])
    _remember(True, f"Removed {len(ids):,}; {left:,} pictures are left.")


def _add(folder: Path) -> None:
    this = opened(folder)
    st.subheader("Add photos", anchor=False)
    st.caption(
        f"They are encoded by the collection's own encoder and kept in "
        f"{plain(photos_folder(folder).name)} beside it. At most {MOST_FILES} at once, 20 MB each."
    )
    label = st.text_input("Label of all of them", key=_LABEL, placeholder="may be left empty")
    key = f"{_FILES}_{st.session_state.get(_UPLOADS, 0)}"
    files = st.file_uploader(
        "Photos", type=TYPES, accept_multiple_files=True, key=key, max_upload_size=20
    )
    if not st.button(
        f"Add {_counted(len(files), 'photo')}" if files else "Add",
        type="primary",
        key="collection_add",
        disabled=not files or len(files) > MOST_FILES,
    ):
        if len(files) > MOST_FILES:
            st.warning(f"At most {MOST_FILES} photos are added at once; got {len(files):,}.")
        return
    progress = st.progress(0.0, "Adding")
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress.progress(min(1.0, done / len(files)), f"{done:,} of {len(files):,}")

    photos = [(file.name, file.getvalue()) for file in files]
    added = add_photos(
        folder, this.encoder, photos, label.strip(), readers=readers(), on_progress=advance
    )
    if added.result is not None:
        new, there = added.result.added, added.result.unchanged
        same = f"; {there:,} were there already" if there else ""
        _remember(True, f"Added {new:,} of {len(photos):,} photos{same}.")
    for name, reason in added.rejected.items():
        _remember(False, f"{name} was not taken: {reason}")
    st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1  # an empty uploader
    st.rerun()


def _check(folder: Path) -> None:
    this = opened(folder)
    safely(_facts, this)
    safely(_verify, this)
    safely(_duplicates, this)


def _facts(this: "Opened") -> None:
    named = {"encoder's name": str(encoder_facts(this.encoder)["name"])}
    known = {
        name.replace("_", " "): f"{value:,}" if isinstance(value, int) else shown(value)
        for name, value in (named | this.collection.info()).items()
    } | {"folder": shown(this.collection.folder.name)}
    parts = [section("What it is", "", facts(known))]
    rejected = this.collection.rejected()
    if rejected:
        rows = [
            [cell(_escaped(path), kind="name"), cell(_escaped(reason))]
            for path, reason in list(rejected.items())[:REJECTED]
        ]
        said = f"Not taken: {_counted(len(rejected), 'picture')}"
        if len(rejected) > REJECTED:
            said += f"; {REJECTED} are listed, fgir collection info names all"
        parts.append(section("Rejected", f"{said}.", table(["picture", "why"], rows)))
    parts.append(notes([shown(one) for one in this.collection.notices]))
    report_view("collection_facts", parts)


def _escaped(text: str) -> str:
    return escape(shown(text))


def _verify(this: "Opened") -> None:
    st.subheader("Verify", anchor=False)
    st.caption("Reads every stored byte again and compares it with its checksum.")
    if not st.button("Verify", key="collection_verify"):
        return
    total, done = max(1, len(this.collection)), 0
    progress = st.progress(0.0, f"Reading {this.collection.info()['bytes']:,} bytes")

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress.progress(min(1.0, done / total), f"Compared {done:,} of {total:,}")

    notices = this.collection.verify(advance)
    progress.empty()
    st.success(
        f"All {len(this.collection):,} items are as they were written.", icon=":material/check:"
    )
    for notice in notices:
        st.warning(plain(notice), icon=":material/warning:")


def _duplicates(this: "Opened") -> None:
    from indexer.duplicates import duplicate_groups

    st.subheader("Duplicates", anchor=False)
    st.caption(
        "Pictures that the collection's encoder cannot tell apart, and files that are the same."
    )
    row = st.container(horizontal=True, vertical_alignment="bottom")
    likeness = row.number_input(
        "Least similarity", 0.5, 1.0, 0.98, 0.01, format="%.3f", key=_LIKENESS, width=180
    )
    if not row.button("Look for duplicates", key="collection_duplicates"):
        return
    total, done = max(1, len(this.collection)), 0
    progress = st.progress(0.0, "Comparing")

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress.progress(min(1.0, done / total), f"Compared {done:,} of {total:,}")

    groups = duplicate_groups(this.collection, likeness, on_progress=advance)
    progress.empty()
    further = sum(map(len, groups)) - len(groups)
    st.markdown(
        f"{_counted(len(groups), 'group')}; {further:,} of {len(this.collection):,} pictures "
        "repeat another."
    )
    for number, group in enumerate(groups[:GROUPS]):
        _group(this, number, group)
    if len(groups) > GROUPS:
        st.caption(f"{GROUPS} are shown; fgir collection duplicates --csv has all.")


def _group(this: "Opened", number: int, group: "list[Duplicate]") -> None:
    cards = [
        card_of(this.collection, one.item)
        | {"note": "same file" if one.identical else f"{one.likeness:.4f}"}
        for one in group
    ]
    with st.container(border=True):
        title = f"Group {number + 1}: {len(group):,} pictures"
        st.caption(title)
        pictures(f"collection_group_{number}", cards, title=title, strip=True)
