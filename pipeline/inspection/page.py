"""A page of HTML that holds its pictures itself and loads nothing."""

import base64
from dataclasses import dataclass
from html import escape

from facial_keypoints.core.text import printable


@dataclass(frozen=True)
class Picture:
    """A figure of the page: its caption, a title and a sentence, and its PNG without a heading of its own."""

    title: str
    detail: str
    png: bytes


@dataclass(frozen=True)
class Section:
    """A part of the page, with a link in the bar on top."""

    title: str
    text: str
    pictures: list[Picture]


_STYLE = """
:root { color-scheme: light dark; --ink: #222; --quiet: #666; --ground: #f4f5f7; --card: #fff; --line: #e3e5e9;
  --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ea; --quiet: #a0a4ab; --ground: #16181c; --card: #fff;
  --line: #2c3038; --accent: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
header, main { max-width: 1060px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; overflow-wrap: anywhere; }
h2 { font-size: 21px; margin: 48px 0 4px; scroll-margin-top: 60px; }
p { margin: 0 0 16px; max-width: 72ch; color: var(--quiet); }
nav { position: sticky; top: 0; z-index: 1; background: var(--ground); border-bottom: 1px solid var(--line); }
nav div { max-width: 1060px; margin: 0 auto; padding: 10px 24px; display: flex; gap: 20px; flex-wrap: wrap; }
nav a { color: var(--accent); text-decoration: none; font-weight: 600; font-size: 14px; }
nav a:hover { text-decoration: underline; }
table { border-collapse: collapse; margin: 14px 0 22px; font-size: 14px; }
td { padding: 3px 18px 3px 0; overflow-wrap: anywhere; } td:first-child { color: var(--quiet); }
figure { margin: 0 0 18px; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  overflow: hidden; }
figcaption { padding: 12px 16px 6px; font-size: 14px; overflow-wrap: anywhere; color: var(--quiet); }
figcaption strong { display: block; font-size: 17px; color: var(--ink); }
figure div { overflow-x: auto; }
img { display: block; width: 100%; min-width: 560px; height: auto; }
section:last-child { margin-bottom: 48px; }
@media (max-width: 600px) {
  header, main, nav div { padding-left: 16px; padding-right: 16px; }
  header { padding-top: 24px; } h1 { font-size: 22px; }
  nav div { column-gap: 14px; row-gap: 0; }
  td { display: block; padding: 0; } td:first-child { padding-top: 8px; }
}
"""


def page(title: str, facts: dict[str, str], sections: list[Section]) -> str:
    """The HTML of a page; `facts` (name -> value) stand in a small table below the title."""
    rows = "".join(f"<tr><td>{_shown(name)}</td><td>{_shown(value)}</td></tr>" for name, value in facts.items())
    links = "".join(f'<a href="#part{n}">{_shown(part.title)}</a>' for n, part in enumerate(sections))
    body = "".join(_section(number, part) for number, part in enumerate(sections))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_shown(title)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{_shown(title)}</h1><table>{rows}</table></header>"
        f"<nav><div>{links}</div></nav><main>{body}</main></body></html>\n"
    )


def _section(number: int, part: Section) -> str:
    figures = "".join(map(_figure, part.pictures))
    return f'<section><h2 id="part{number}">{_shown(part.title)}</h2><p>{_shown(part.text)}</p>{figures}</section>'


def _figure(picture: Picture) -> str:
    title, detail = _shown(picture.title), _shown(picture.detail)
    image = f'<img alt="{title}" src="data:image/png;base64,{base64.b64encode(picture.png).decode("ascii")}">'
    return f"<figure><figcaption><strong>{title}</strong>{detail}</figcaption><div>{image}</div></figure>"


def _shown(text: str) -> str:
    """Text from outside as HTML; bytes of a file name that are no Unicode could not be encoded, and become escapes."""
    return escape(printable(text))
