"""The demo: every stage of the engine on a generated catalogue, each kept once it is done."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import typer

from indexer.build import build_collection, entries_of
from indexer.disk import DiskCollection
from retrieval.benchmarks import catalogue
from retrieval.catalogue import generate
from retrieval.checkpoints import load_encoder
from retrieval.comparison import compare
from retrieval.data import Benchmark
from retrieval.encoder import Encoder
from retrieval.encoding import encode_files
from retrieval.evaluation import EvaluationReport, evaluate
from retrieval.report import write_page
from train.config import read_recipe
from train.trainer import resume, train
from ui.building import create_or_resume
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
    typer.echo(
        f"\nDone in {time.monotonic() - started:.0f} s. Look at\n"
        f"  {out / 'report.html'}   figures, curves, best and worst queries\n"
        f"  {out / 'search.png'}    queries and what they found\n"
        "Search with a photo of your own:\n"
        f"  fgir search {out / 'collection'} PHOTO --gallery hits.html"
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
        create_or_resume(out / "collection", encoder, "faiss_flat") as collection,
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
