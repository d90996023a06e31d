"""How pictures look, and the one way in which matplotlib is used."""

import io
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

# Inches. In the usual width, letters of 9 points stay readable at 340 pixels, the width of a phone.
WIDTHS = {"usual": 4.8, "wide": 9.6}
HEIGHT = 3.4
# The accent is that of the pages.
ACCENT, OPPOSITE, MUTED, INK, PALE = "#3651c9", "#d55e00", "#8a939b", "#343a40", "#e9ecef"
# Told apart by colour-blind people, too: Okabe and Ito, Color Universal Design (2008), with the accent for its blue.
PALETTE = (ACCENT, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
STYLE: dict[Any, Any] = {
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.facecolor": "white",
    "font.size": 9,
    # Shipped with matplotlib and wider than most: what is measured with it has room in the reader's font, too.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    # Labels are other people's words; a dollar sign in them is a dollar sign.
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "grid.color": PALE,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "date.converter": "concise",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    # Text stays text, and equal pictures are equal bytes.
    "svg.fonttype": "none",
    "svg.hashsalt": "restimator",
}
FONTS = b"<style>text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif !important }</style>"
# XML 1.0 cannot hold these, not even escaped (https://www.w3.org/TR/xml/#charsets).
UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Far below the largest float: the ranges and margins of the axes must not overflow.
LARGEST = 1e100
# matplotlib's parameters and font caches belong to all threads.
_matplotlib = threading.Lock()


@dataclass(frozen=True)
class Drawing:
    """A picture to be painted: `note` is a line below it, `height` is in inches."""

    paint: Callable[["Axes"], None]
    note: str
    height: float = HEIGHT


def svg(title: str, drawing: Drawing, shape: str = "usual") -> bytes:
    """The picture as an SVG document, the same bytes each time; safe to call from many threads.

    `shape` is one of WIDTHS.
    """
    # 26 MB and a second that a worker which only predicts never needs.
    import matplotlib
    from matplotlib.figure import Figure

    content = io.BytesIO()
    with _matplotlib, warnings.catch_warnings(), matplotlib.rc_context():
        # Letters that the measuring font lacks are drawn by the reader's.
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(WIDTHS[shape], drawing.height))
        figure.suptitle(title, x=0.02, horizontalalignment="left", fontsize=11, fontweight="bold")
        figure.supxlabel(drawing.note, x=0.02, horizontalalignment="left", fontsize=7.5, color=MUTED)
        drawing.paint(figure.add_subplot())
        figure.savefig(content, format="svg", metadata={"Title": title, "Date": None})
    return content.getvalue().replace(b"<defs>", FONTS + b"\n<defs>", 1)


def shades() -> "Colormap":
    """From nearly white to the accent, for use while a picture is painted."""
    from matplotlib.colors import LinearSegmentedColormap  # not at the top, as in svg

    return LinearSegmentedColormap.from_list("shades", ["#f8f9fa", ACCENT])


def shown(value: object, most: int = 24) -> str:
    """The value as one line of at most `most` characters."""
    text = " ".join(UNPRINTABLE.sub("\ufffd", str(value)).split()) or "(empty)"
    return text if len(text) <= most else text[: most - 1] + "…"


def number(value: float) -> str:
    """The value in at most three digits, a whole one in all of them, with a real minus sign."""
    return (f"{value:.0f}" if value % 1 == 0 and abs(value) < 1e6 else f"{value:.3g}").replace("-", "−")


def drawable(values: np.ndarray) -> np.ndarray:
    """Which of the numbers have a place on an axis."""
    return np.isfinite(values) & (np.abs(values) < LARGEST)


def bars(names: Sequence[str], values: Sequence[float], label: str, note: str) -> Drawing:
    """Horizontal bars with their values, the first on top; negative ones in another colour."""
    places = range(len(names))

    def paint(axes: "Axes") -> None:
        colours = [OPPOSITE if value < 0 else ACCENT for value in values]
        drawn = axes.barh(places, values, color=colours, height=0.7)
        axes.bar_label(drawn, [number(value) for value in values], padding=3, size=8)
        axes.set_yticks(places, [shown(name) for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlabel(label)
        axes.margins(x=0.2)
        axes.grid(visible=False, axis="y")
        if min(values) < 0:
            axes.axvline(0, color=MUTED, linewidth=0.8)
            axes.spines["left"].set_visible(False)

    return Drawing(paint, note, 1.1 + 0.23 * len(names))
