"""Show the curves of runs in TensorBoard, with TensorBoard's own options: `scripts/curves.py --logdir runs`.

TensorBoard loads TensorFlow where it is installed, which takes seconds and fills the screen with what is said of absent
GPUs, and has no need of it for anything shown here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `experiments` on PYTHONPATH
from experiments.reporting import terminal
from experiments.training.surroundings import unconfigure

WITHOUT_TENSORFLOW = "tensorboard.compat.notf"  # the module by which TensorBoard is told, in its own builds


def curves() -> None:
    """Serve TensorBoard until it is interrupted."""
    sys.modules[WITHOUT_TENSORFLOW] = ModuleType(WITHOUT_TENSORFLOW)
    from absl import app, logging
    from tensorboard import default, program
    from tensorboard.plugins.base_plugin import FlagsError

    logging.set_verbosity(logging.WARNING)  # as TensorBoard's own command does
    server = program.TensorBoard(default.get_plugins())
    try:
        app.run(server.main, flags_parser=server.configure)
    except FlagsError as error:
        terminal.open_console(stderr=True).print(f"error: {error}", style="red")
        sys.exit(1)


if __name__ == "__main__":
    unconfigure()
    terminal.run(curves)
