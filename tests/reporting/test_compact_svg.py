"""What is left of matplotlib's SVG says the same."""

import re
import xml.etree.ElementTree as ET

from experiments.reporting.compact_svg import compact, share_styles

SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">
 <defs><style type="text/css">*{stroke-linejoin: round}</style></defs>
 <g id="figure_1">
  <g id="patch_1"><path d="M 0 9
L 9 9
z
" style="fill: none"/></g>
  <g id="line_1">
   <defs><path id="m1" d="M 0 0
L 0 3.50049
" style="stroke: #1c2733"/></defs>
   <g clip-path="url(#p1)">
    <use xlink:href="#m1" x="1.23456" y="2" style="fill: #0072b2"/>
    <use xlink:href="#m1" x="3" y="-4.00001" style="fill: #0072b2"/>
   </g>
  </g>
  <text style="font-size: 8px; font-family: 'A'; fill: #1c2733" x="1" transform="rotate(-0 1 2)">a  &lt; 0.12345</text>
 </g>
 <defs><clipPath id="p1"><rect x="0" y="0" width="9" height="9"/></clipPath></defs>
</svg>"""
THIRD = '<use xlink:href="#m1" x="5" y="6.06" style="fill: #0072b2"/>\n   </g>'


def test_marks_say_their_style_once_and_refer_to_ids_of_this_figure() -> None:
    assert compact(SVG, "name", "#1c2733") == (
        '<svg viewBox="0 0 9 9"><defs><path d="M0 0V3.5" style="stroke: currentColor" id="name-1"/></defs>'
        '<g clip-path="url(#name-0)" style="fill: #0072b2"><use href="#name-1" x="1.2" y="2"/>'
        '<use href="#name-1" x="3" y="-4"/></g>'
        '<text style="font-size: 8px; fill: currentColor" x="1">a  &lt; 0.12345</text>'
        '<defs><clipPath id="name-0"><rect x="0" y="0" width="9" height="9"/></clipPath></defs></svg>'
    )


def test_three_marks_and_more_are_one_line_that_bears_the_mark_with_both_their_styles() -> None:
    found = compact(SVG.replace("\n   </g>", THIRD), "name", "#1c2733")
    assert (
        '<g clip-path="url(#name-0)" style="fill: #0072b2">'
        '<marker id="name-m0" overflow="visible" markerUnits="userSpaceOnUse">'
        '<path d="M0 0V3.5" style="fill: #0072b2; stroke: currentColor"/></marker>'
        '<path d="M1.2 2 3 -4 5 6.1" style="fill: none; stroke: none; marker: url(#name-m0)"/></g>'
    ) in found
    assert "<use" not in found
    assert 'id="name-1"' not in found  # to which nothing refers any more


def test_neighbours_that_are_clipped_alike_are_clipped_once() -> None:
    line = '<path clip-path="url(#p1)" d="M 0 9 L 9 9" style="fill: none; stroke: #0072b2"/>'
    found = compact(SVG.replace('<g id="line_1">', f'{line}{line}<g id="line_1">'), "name", "#1c2733")
    assert found.count('clip-path="url(#name-0)"') == 2  # of the two lines, and of the marks
    assert re.search(r'<g clip-path="url\(#name-0\)"><path d="M0 9H9"[^>]*/><path[^>]*/>', found)


def test_what_is_written_stays_as_it_is() -> None:
    assert ET.fromstring(compact(SVG, "name", "#1c2733")).findtext("text") == "a  < 0.12345"


def test_styles_of_several_elements_are_classes_and_all_others_stay() -> None:
    page = '<style>p{}</style><b style="fill: red; x: 1">style="a: b"</b><b style="fill: red; x: 1"/><b style="x: 2"/>'
    assert share_styles(page) == (
        '<style>p{}.s0{fill:red;x:1}\n</style><b class="s0">style="a: b"</b><b class="s0"/><b style="x: 2"/>'
    )
