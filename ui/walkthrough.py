"""The demo: every stage of the engine on a generated catalogue, each kept once it is done."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import typer

from indexer.build import build_collection, entries_of
from indexer.disk import DiskCollection
from indexer.sources import Entry
from retrieval.benchmarks import catalogue
from retrieval.catalogue import generate
from retrieval.checkpoints import load_encoder
from retrieval.comparison import compare
from retrieval.data import Benchmark, Modality
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoder_folders import is_pair, open_encoder, save_pair
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.evaluation import EvaluationReport, evaluate
from retrieval.paired import DIM, RIDGE, fit_pair, photo_rows_of
from retrieval.report import write_page
from train.config import read_recipe
from train.trainer import resume, train
from ui.building import create_or_resume_folder
from ui.gallery import gallery_rows, write_gallery
from ui.progress import progress

MODELS = 240
_QUERIES = 4


def walk_through(out: Path) -> None:
    """Generate, train, index, evaluate and search; say what happens and where the results are.

    Run again, it goes on where it was interrupted and does nothing twice.
    """
    started = time.monotonic()
    _stage(1, "A catalogue of shoes nobody has seen", _generated, out)
    data = catalogue.read(out / "catalogue")
    _stage(2, "A small encoder, trained from scratch on half of the models", _trained, out)
    encoder = load_encoder(out / "run" / "best")
    _stage(3, "The other half as a collection", _indexed, out, encoder)
    _stage(4, "How often is the nearest photo the same model?", _evaluated, out, data, encoder)
    _stage(5, "Search by photo", _searched, out, data, encoder)
    pairs = catalogue.read(out / "catalogue", query="sketch")
    _stage(6, "Search by sketch: draw a shoe, find that very shoe", _drawn, out, pairs)
    typer.echo(
        f"\nDone in {time.monotonic() - started:.0f} s. Look at\n"
        f"  {out / 'report.html'}    figures, curves, best and worst queries\n"
        f"  {out / 'search.png'}     photos and what they found\n"
        f"  {out / 'sketches.png'}   drawings and what they found\n"
        "Search with a photo, or a drawing, of your own:\n"
        f"  fgir search {out / 'collection'} PHOTO --gallery hits.html\n"
        f"  fgir search {out / 'sketch_collection'} --sketch DRAWING --gallery hits.html\n"
        "Draw one in the browser, show a photo, look at the figures:\n"
        f"  fgir ui {out / 'sketch_collection'} --runs {out}"
    )


def _stage(number: int, title: str, work: Callable[..., None], *given: object) -> None:
    typer.secho(f"\n{number}. {title}", bold=True)
    work(*given)


def _generated(out: Path) -> None:
    if (out / "catalogue").exists():
        typer.echo(f"{out / 'catalogue'} is there already")
        return
    out.mkdir(parents=True, exist_ok=True)
    with progress("Drawing", MODELS) as advance:
        generate(out / "catalogue", models=MODELS, on_progress=advance)


def _trained(out: Path) -> None:
    run = out / "run"
    if (run / "result.json").exists():
        typer.echo(f"{run} is finished already")
    elif (run / "config.json").exists():
        typer.echo(f"going on with {run}")
        resume(run, on_epoch=typer.echo)
    else:
        config = read_recipe("catalogue").with_root(out / "catalogue")
        train(config, run, on_epoch=typer.echo)


def _indexed(out: Path, encoder: Encoder) -> None:
    entries, root = entries_of(out / "catalogue" / "images.csv")
    tested = [entry for entry in entries if entry.payload["split"] == "test"]
    with (
        create_or_resume_folder(out / "collection", encoder) as collection,
        progress("Indexing", len(tested)) as advance,
    ):
        result = build_collection(collection, tested, root, encoder, on_progress=advance)
    typer.echo(f"{result} in {out / 'collection'}")


def _evaluated(out: Path, data: Benchmark, encoder: Encoder) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        floor = Encoder.from_settings(encoder.settings()).eval()
    reports: list[EvaluationReport] = []
    for name, one in (("untrained", floor), ("trained", encoder)):
        with progress(f"Evaluating the {name} encoder", len(data.query)) as advance:
            report = evaluate(one, data, on_progress=advance)
        report = report.named(f"{report.encoder['name']}, {name}")
        report.save(out / "evaluation" / name)
        typer.echo(report)
        reports.append(report)
    typer.echo(compare(*reports))
    write_page(reports[::-1], out / "report.html")  # pictures are those of the first


def _searched(out: Path, data: Benchmark, encoder: Encoder) -> None:
    step = len(data.query) // _QUERIES + 1  # spread over models and views
    queries = data.query.paths[2::step]
    vectors = encode_files(encoder, queries).vectors
    with DiskCollection.open(out / "collection") as collection:
        found = collection.search(vectors, 7, fingerprint=encoder.fingerprint())
    # The first hit is the query itself.
    others = [[replace(hit, rank=hit.rank - 1) for hit in hits[1:]] for hits in found]
    for query, hits in zip(queries, others, strict=True):
        answers = ", ".join(f"{hit.item.label} {hit.score:.2f}" for hit in hits)
        typer.echo(f"{query.parent.name}: {answers}")
    rows = gallery_rows(out / "collection", queries, others)
    write_gallery(out / "search.png", "Search by photo", rows)


def _drawn(out: Path, data: Benchmark) -> None:
    """Oriented gradients, fitted to the training pairs: no network, and one shop picture a shoe."""
    pair = _pair(out / "sketch_encoder", data)
    entries = [
        Entry(name, name, data.gallery.name(number))
        for number, name in enumerate(
            path.relative_to(out / "catalogue").as_posix() for path in data.gallery.paths
        )
    ]
    with create_or_resume_folder(out / "sketch_collection", pair) as collection:
        typer.echo(build_collection(collection, entries, out / "catalogue", pair))
    report = evaluate(pair, data)
    report.save(out / "evaluation" / "sketches")
    typer.echo(report)
    queries = data.query.paths[3 :: len(data.query) // _QUERIES]
    vectors = encode_files(pair, queries, modality=Modality.SKETCH).vectors
    with DiskCollection.open(out / "sketch_collection") as collection:
        found = collection.search(vectors, 6, fingerprint=pair.fingerprint())
    modalities = [Modality.SKETCH] * len(queries)
    rows = gallery_rows(out / "sketch_collection", queries, found, modalities=modalities)
    write_gallery(out / "sketches.png", "Search by sketch", rows)


def _pair(folder: Path, data: Benchmark) -> EncoderPair:
    if is_pair(folder):
        made = open_encoder(folder)
        if isinstance(made, EncoderPair):
            return made
    gradients = build_encoder("hog", {"name": "grid", "cells": 16}, fit="object")
    pictures = len(data.train) + len(data.train_sketches)
    with progress("Fitting to training pairs", pictures) as advance:
        pair = fit_pair(
            gradients,
            data.train.paths,
            data.train_sketches.paths,
            photo_rows_of(data.train, data.train_sketches),
            whiten=(DIM, RIDGE),
            on_progress=advance,
        )
    save_pair(pair, folder)
    return pair
