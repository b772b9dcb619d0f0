"""Whether what a figure says can be read."""

import itertools

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text


def texts_of(figure: Figure) -> list[Text]:
    """The texts that are drawn, without the tick labels that matplotlib keeps ready outside the axes."""
    figure.canvas.draw()
    ready: set[Text] = set()
    shown: set[Text] = set()
    for axes in (every for every in figure.findobj(Axes) if isinstance(every, Axes)):
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                labels = {tick.label1, tick.label2}
                ready |= labels
                if axis.get_visible() and min(limits) <= tick.get_loc() <= max(limits):
                    shown |= labels
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    texts = [text for text in texts if text not in ready or text in shown]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def assert_legible(figure: Figure) -> None:
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts_of(figure)]
    assert len(boxes) > 5
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
    for (first, first_box), (second, second_box) in itertools.combinations(boxes, 2):
        overlaps = first_box.shrunk(0.98, 0.8).overlaps(second_box.shrunk(0.98, 0.8))
        assert not overlaps, f"{first!r} overlaps {second!r}"
