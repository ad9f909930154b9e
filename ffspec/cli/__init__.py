"""The `ffspec` command. A command's own module imports nothing heavy; its work is imported when it runs."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from ffspec import __version__
from ffspec.cli.check import check
from ffspec.cli.diff import diff
from ffspec.cli.eject import eject
from ffspec.cli.errors import said
from ffspec.cli.explain import explain
from ffspec.cli.init import init
from ffspec.cli.resume import resume
from ffspec.cli.run import run
from ffspec.cli.schema import schema
from ffspec.cli.show import show
from ffspec.cli.sweep import sweep
from ffspec.diagnostics import FfspecError

__all__ = ["command", "main"]

USAGE, INTERNAL, INTERRUPTED = 2, 70, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ffspec", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an internal error.")
def command(*, debug: bool) -> None:
    """Train a feedforward network from a short YAML file.

    \b
    ffspec init table.csv --target y       write a spec for a table
    ffspec run specs/feedforward.yaml      train, with checks before and after
    ffspec check specs/*.yaml              find what is wrong, without training
    ffspec show specs/feedforward.yaml     layers, shapes, parameters, FLOPs
    """  # noqa: D301 - click reads the character
    del debug


for _command in (init, run, sweep, resume, diff, check, show, eject, schema, explain):
    command.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit.

    0 done; 1 findings, or an expectation not met; 2 a bad spec, data or command line; 3 diverged; 4 input or output;
    70 a bug; 130 interrupted.
    """
    # Start-up: nothing is freed before the work begins, and no plug-in of pydantic is looked for (or let in).
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    sys.exit(_exit_code(sys.argv[1:] if arguments is None else arguments))


def _exit_code(arguments: list[str]) -> int:
    try:
        return int(command.main(arguments, prog_name="ffspec", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left (`ffspec schema | head`); keep Python's own flush at exit from complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except FfspecError as error:
        click.echo(said(error), err=True)
        return error.exit_code
    except Exception:  # noqa: BLE001 - nothing may reach the user as a traceback
        return _report_crash(debug="--debug" in arguments)


def _report_crash(*, debug: bool) -> int:
    if debug:
        traceback.print_exc()
        return INTERNAL
    with NamedTemporaryFile("w", prefix="ffspec-crash-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(traceback.format_exc())
    click.echo(f"internal error: this is a bug in ffspec; the report is in {Path(file.name)}", err=True)
    return INTERNAL
