"""How does a command speak to whatever reads it: any terminal, any name it is to print, a reader who leaves early?"""

from __future__ import annotations

import codecs
import io
import os
import sys
import textwrap
from collections.abc import Callable

from rich.console import Console

# What stands for our characters where they cannot be shown; for any other, a question mark.
_PLAIN = {
    "−": "-", "–": "-", "×": "x", "≥": ">=", "≤": "<=", "≈": "~", "∞": "inf", "…": "...", "·": ".",
    "✓": "+", "✗": "x", "’": "'", "“": '"', "”": '"',
}  # fmt: skip

NO_BREAK = "\N{NO-BREAK SPACE}"


def open_console(stderr: bool = False) -> Console:
    """Return a console that prints titles, names and paths as they are, whatever brackets and colons stand in them.

    stderr: the one for errors, whose lines are left whole.
    """
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=stderr)


def print_paragraph(console: Console, text: str, indent: int = 0, style: str | None = None) -> None:
    """Print a text in lines that break between words, indented; what is longer than a line, such as a path, is kept.

    No line breaks at a no-break space, which is printed as a plain one.
    """
    margin = " " * indent
    lines = textwrap.wrap(
        text, console.width, initial_indent=margin, subsequent_indent=margin, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    console.print("\n".join(lines).replace(NO_BREAK, " "), style=style, soft_wrap=True)


def run(command: Callable[[], object]) -> None:
    """Run a script's command so that no word of it is an error.

    Characters that the terminal lacks are replaced; when the reader leaves early, as `head` does, the command ends.
    """
    codecs.register_error("plain", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")
    try:
        try:
            command()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's last flush would fail
        sys.exit(1)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end
