"""``fgir``: one command, its subcommands, and how an error reaches a person.

Nothing heavy is imported here: each subcommand imports what it needs when it runs, so that help
and plain mistakes are answered at once.
"""

import os
import sys
from typing import cast

import typer
from rich.console import Console
from rich.markup import escape

from retrieval.errors import EXIT_INTERRUPTED, FgirError
from ui.commands import (
    add,
    catalogue,
    classify,
    collection,
    compare,
    contours,
    demo,
    doctor,
    encoder,
    evaluate,
    explain,
    export,
    index,
    on_the_fly,
    openset,
    page,
    recognise,
    remove,
    replay,
    search,
    serve,
    train,
)
from ui.text import shown

# Typer brings a click of its own in some versions and uses the installed one in others.
_CommandLineError = cast(
    type[typer.BadParameter],
    next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"),
)

_DEBUG = "FGIR_DEBUG"

app = typer.Typer(
    name="fgir",
    help="Fine-grained image retrieval: find the exact thing, not merely the same kind of thing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, commands in {
    "Search photos": (
        index.index,
        add.add,
        remove.remove,
        search.search,
        page.ui,
        explain.explain,
        replay.replay,
        serve.serve,
    ),
    "Recognise photos": (classify.classify, recognise.recognise),
    "Measure": (
        evaluate.evaluate,
        on_the_fly.on_the_fly,
        openset.openset,
        compare.compare,
    ),
    "Make encoders": (encoder.encoder, train.train, contours.contours, export.export),
    "Start here": (demo.demo, catalogue.catalogue, doctor.doctor),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(collection.app, name="collection", rich_help_panel="Search photos")


def main() -> None:
    """Run the command line; print errors as sentences and end with their exit code."""
    try:
        code = app(standalone_mode=False)
    except FgirError as error:
        _say(f"{error.identifier}: {error}")
        code = error.exit_code
    except _CommandLineError as error:
        error.show()
        code = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        _say("interrupted: what was reported as stored is stored; run the command again to go on.")
        code = EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left, as in `fgir search ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # nobody shall have to read a traceback
        if _DEBUG in os.environ:
            raise
        _say(f"this is a bug: {type(error).__name__}: {error}. {_DEBUG}=1 shows where it is.")
        code = 1
    sys.exit(code)


def _say(message: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[red]fgir: {escape(shown(message))}[/red]"
    )
