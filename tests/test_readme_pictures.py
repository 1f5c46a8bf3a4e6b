"""Are README's pictures there, and small enough to come up at once?"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_BYTES = 200_000


def test_readme_names_pictures_that_exist_each_below_200_kb() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = set(re.findall(r"\(((?:docs|notebooks)/\S+?\.(?:png|webp|svg|jpg))\)", readme))
    assert {"docs/images/tensorboard.png", "docs/images/report.png", "docs/images/explorer.png"} <= names
    sizes = {name: (ROOT / name).stat().st_size for name in names}
    assert {name: size for name, size in sizes.items() if name.startswith("docs/images/") and size >= MOST_BYTES} == {}


def test_no_picture_lies_there_unseen() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "docs/images").iterdir() if f"docs/images/{path.name}" not in readme] == []
