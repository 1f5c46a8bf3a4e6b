"""How little of a figure's SVG does a page need? The page's font and ink, and a fifth of matplotlib's bytes."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_NUMBER = re.compile(r"-?\d+\.\d{2,}")  # of which a tenth of a point can be seen, and a hundredth of what is below 1
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT = re.compile(r"font-family: [^;]*;? ?")
_SPACE = re.compile(r"\s*([MLQCz])\s*|\s+")
_LINE = re.compile(r"M(\S+) (\S+)L(\S+) (\S+)")
_STYLE = re.compile(r' style="([^"]*)"')
_TIGHT = re.compile(r"\s*([:;])\s*")


def compact(svg: str, name: str, ink: str) -> str:
    """Return an SVG of matplotlib's as an element of an HTML page, its ids unique by `name`, what is `ink` in its ink.

    Matplotlib numbers ids from 1 in each figure and styles every element of the page; neither survives.
    """
    root = ET.fromstring(svg.replace(ink, "currentColor"))
    for element in root.iter():
        for child in list(element):
            if child.tag in (f"{SVG}metadata", f"{SVG}style") or _is_invisible(child):
                element.remove(child)
    _without_idle_groups(root)
    ids: dict[str, str] = {}
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        element.attrib = {key.removeprefix(XLINK): _short(value, ids, name) for key, value in element.attrib.items()}
        if element.attrib.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        if "d" in element.attrib:
            d = _SPACE.sub(lambda found: found[1] or " ", element.attrib["d"]).strip()
            element.attrib["d"] = _straight(d)
        if element.tag != "text" and not (element.text or "").strip():
            element.text = None
        element.tail = None
    for element in root.iter():
        if "id" in element.attrib:
            old = element.attrib.pop("id")
            if old in ids:
                element.attrib["id"] = ids[old]
    _join_marks(root, name)
    _clip_once(root)
    root.attrib = {"viewBox": root.attrib["viewBox"]}
    return ET.tostring(root, encoding="unicode", short_empty_elements=True).replace(" />", "/>")


def share_styles(page: str) -> str:
    """Return a page whose elements have classes of its first stylesheet for the styles that more than one has."""
    counts = Counter(_STYLE.findall(page))
    shared = [style for style, count in counts.most_common() if count > 1]
    names = {style: f"s{place}" for place, style in enumerate(shared)}
    rules = "".join(f".{name}{{{_TIGHT.sub(lambda found: found[1], style)}}}\n" for style, name in names.items())

    def named(found: re.Match[str]) -> str:
        return f' class="{names[found[1]]}"' if found[1] in names else found[0]

    return _STYLE.sub(named, page).replace("</style>", f"{rules}</style>", 1)


def _is_invisible(element: ET.Element) -> bool:
    """A frame without line or filling, which matplotlib draws around every figure and panel; or nothing at all."""
    return (element.tag == f"{SVG}path" and element.get("style") == "fill: none") or (
        element.tag in (f"{SVG}defs", f"{SVG}g") and not len(element)
    )


def _without_idle_groups(element: ET.Element) -> None:
    """Put in the place of every group that says nothing its elements; say once what all of a group's marks say."""
    kept: list[ET.Element] = []
    for child in list(element):
        _without_idle_groups(child)
        if child.tag == f"{SVG}g" and not set(child.attrib) - {"id"}:
            kept += list(child)
        elif child.tag != f"{SVG}defs" or len(child):
            kept.append(child)
    element[:] = kept
    styles = {child.get("style") for child in kept}
    if element.tag == f"{SVG}g" and len(kept) > 1 and len(styles) == 1 and "style" not in element.attrib:
        style = styles.pop()
        if style and all(child.tag == f"{SVG}use" for child in kept):
            element.attrib["style"] = style
            for child in kept:
                del child.attrib["style"]


def _short(value: str, ids: dict[str, str], name: str) -> str:
    """A value of an attribute: no font, decimals that can be seen, references by short names, which `ids` holds."""

    def named(old: str) -> str:
        return ids.setdefault(old, f"{name}-{len(ids)}")

    if value.startswith("#") and not re.fullmatch(r"#[0-9a-f]{6}", value):
        return f"#{named(value[1:])}"
    value = _REFERENCE.sub(lambda found: f"url(#{named(found[1])})", value)
    return _NUMBER.sub(lambda found: _seen(float(found[0])), _FONT.sub("", value))


def _seen(number: float) -> str:
    return f"{number:.{1 if abs(number) >= 1 else 2}f}".rstrip("0").rstrip(".")


def _straight(d: str) -> str:
    """A path; of a single line along an axis, without the coordinate that stays."""
    line = _LINE.fullmatch(d)
    if line and line[2] == line[4]:
        return f"M{line[1]} {line[2]}H{line[3]}"
    if line and line[1] == line[3]:
        return f"M{line[1]} {line[2]}V{line[4]}"
    return d


def _join_marks(root: ET.Element, name: str) -> None:
    """Put in the place of marks of one kind, one after the other, a line that bears the mark at its vertices."""
    shapes = {path.attrib["id"]: path for path in root.iter("path") if "id" in path.attrib}
    markers: dict[tuple[str, str], str] = {}
    for parent in list(root.iter()):
        kept: list[ET.Element] = []
        for of, found in itertools.groupby(parent, key=_kind_of_mark):
            marks = list(found)
            if of is None or len(marks) < 3:
                kept += marks
                continue
            shape = of[0].removeprefix("#")
            style = "; ".join(filter(None, (of[1] or parent.get("style", ""), shapes[shape].get("style"))))
            if (shape, style) not in markers:
                markers[shape, style] = f"{name}-m{len(markers)}"
                kept.append(_marker(markers[shape, style], shapes[shape].attrib["d"], style))
            points = " ".join(f"{mark.attrib['x']} {mark.attrib['y']}" for mark in marks)
            look = f"fill: none; stroke: none; marker: url(#{markers[shape, style]})"
            kept.append(ET.Element("path", {"d": f"M{points}", "style": look}))
        parent[:] = kept
    _drop_idle_shapes(root)


def _kind_of_mark(element: ET.Element) -> tuple[str, str] | None:
    """Shape and style of a mark; None of anything else."""
    if element.tag != "use" or set(element.attrib) - {"style"} != {"href", "x", "y"}:
        return None
    return element.attrib["href"], element.get("style", "")


def _marker(name: str, d: str, style: str) -> ET.Element:
    marker = ET.Element("marker", {"id": name, "overflow": "visible", "markerUnits": "userSpaceOnUse"})
    ET.SubElement(marker, "path", {"d": d} | ({"style": style} if style else {}))
    return marker


def _drop_idle_shapes(root: ET.Element) -> None:
    """Remove the shapes of marks that no mark refers to."""
    used = {element.attrib["href"] for element in root.iter("use")}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == "defs":
                child[:] = [shape for shape in child if shape.tag != "path" or f"#{shape.get('id')}" in used]
                if not len(child):
                    parent.remove(child)


def _clip_once(root: ET.Element) -> None:
    """Clip neighbours that are clipped alike as one group."""
    for parent in list(root.iter()):
        kept: list[ET.Element] = []
        for clip, found in itertools.groupby(parent, key=lambda element: element.get("clip-path")):
            alike = list(found)
            if clip is None or len(alike) == 1:
                kept += alike
                continue
            for element in alike:
                del element.attrib["clip-path"]
            group = ET.Element("g", {"clip-path": clip})
            group[:] = [inner for element in alike for inner in _without_group(element)]
            kept.append(group)
        parent[:] = kept


def _without_group(element: ET.Element) -> Iterator[ET.Element]:
    """What is in a group that says nothing; any other element itself."""
    yield from element if element.tag == "g" and not element.attrib else [element]
