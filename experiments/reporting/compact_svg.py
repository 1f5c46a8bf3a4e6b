"""How little of a figure's SVG does a page need? The page's font and ink, and a third of matplotlib's bytes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_NUMBER = re.compile(r"-?\d+\.\d{3,}")  # of which a tenth of a point can be seen, and a hundredth of what is below 1
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT = re.compile(r"font-family: [^;]*;? ?")
_SPACE = re.compile(r"\s*([MLQCz])\s*|\s+")


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
            element.attrib["d"] = _SPACE.sub(lambda found: found[1] or " ", element.attrib["d"]).strip()
        if element.tag != "text" and not (element.text or "").strip():
            element.text = None
        element.tail = None
    for element in root.iter():
        if "id" in element.attrib:
            old = element.attrib.pop("id")
            if old in ids:
                element.attrib["id"] = ids[old]
    root.attrib = {"viewBox": root.attrib["viewBox"]}
    return ET.tostring(root, encoding="unicode")


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
