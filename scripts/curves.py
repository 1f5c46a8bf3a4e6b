"""Show results in TensorBoard so that they can be read: `scripts/curves.py --logdir runs`.

TensorBoard loads TensorFlow where it is installed, which takes seconds and fills the screen with what is said of absent
GPUs, and has no need of it for anything shown here.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `experiments` on PYTHONPATH
from experiments.records.storage import StorageError
from experiments.reporting import terminal
from experiments.reporting.tensorboard_view import Show, View, count_runs, view
from experiments.training.surroundings import unconfigure

WITHOUT_TENSORFLOW = "tensorboard.compat.notf"  # the module by which TensorBoard is told, in its own builds
SECONDS_TO_LOAD = 20

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
errors = terminal.open_console(stderr=True)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def curves(
    context: typer.Context,
    logdir: Annotated[Path, typer.Option(help="an experiment's folder, or one that holds several")] = Path("runs"),
    show: Annotated[
        Show,
        typer.Option(
            help="what a line stands for: an arm at its best rate, the median over seeds; a trial, which is an arm at "
            "one place of the grid; a run"
        ),
    ] = Show.ARMS,
) -> None:
    """Serve TensorBoard until it is interrupted. All other options are TensorBoard's own, such as --port."""
    with tempfile.TemporaryDirectory(prefix="tensorboard-") as scratch:
        try:
            shown = view(logdir, show, Path(scratch))
        except StorageError as error:
            errors.print(f"error: {error}", style="red")
            raise typer.Exit(1) from None
        _serve(shown, context.args)


def _serve(shown: View, options: list[str]) -> None:
    sys.modules[WITHOUT_TENSORFLOW] = ModuleType(WITHOUT_TENSORFLOW)
    from absl import app, logging
    from tensorboard import default, program
    from tensorboard.plugins.base_plugin import FlagsError

    def start(application: Any, flags: Any) -> Any:
        server = program.create_port_scanning_werkzeug_server(application, flags)
        say = server.print_serving_message

        def say_when_loaded() -> None:
            _wait_for_runs(server.get_url(), count_runs(shown.folder))
            say()
            for words, address in shown.links(server.get_url()):
                errors.print(f"  {words}:\n    {address}")

        server.print_serving_message = threading.Thread(target=say_when_loaded, daemon=True).start
        return server

    logging.set_verbosity(logging.WARNING)  # as TensorBoard's own command does
    server = program.TensorBoard(default.get_plugins(), server_class=start)
    try:
        app.run(server.main, [sys.argv[0], "--logdir", str(shown.folder), *options], flags_parser=server.configure)
    except FlagsError as error:
        errors.print(f"error: {error}", style="red")
        sys.exit(1)


def _wait_for_runs(address: str, count: int) -> None:
    """Wait, but not long, until so many runs are loaded: a page opened before gives them other colours."""
    end = time.monotonic() + SECONDS_TO_LOAD
    with contextlib.suppress(OSError, ValueError):  # an address that this machine cannot open may be one for others
        while time.monotonic() < end:
            with urllib.request.urlopen(f"{address.rstrip('/')}/data/runs", timeout=SECONDS_TO_LOAD) as answer:
                if len(json.load(answer)) >= count:
                    return
            time.sleep(0.1)


if __name__ == "__main__":
    unconfigure()
    terminal.run(app)
