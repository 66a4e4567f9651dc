"""The chart of docs/scale-from-zero.md as SVG."""

import statistics
from xml.sax.saxutils import escape

from cold_starts import PHASES

WIDTH, LEFT, RIGHT = 900, 150, 40
ROW, BAR = 46, 26
# What holding and waking take is coloured; what the platform and the program take is grey.
COLOURS = {PHASES[0]: "#2166ac", PHASES[1]: "#d0d0d0", PHASES[2]: "#a8a8a8", PHASES[3]: "#e08214"}
INK, FAINT = "#222222", "#e6e6e6"
BURST = ("#7fb3d5", "#1b4f72")


class Drawing:
    def __init__(self):
        self.parts = []
        self.y = 0

    def text(self, x, y, words, size=13, anchor="start", colour=INK, weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
                          f'font-weight="{weight}">{escape(words)}</text>')

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height}" fill="{colour}"/>')

    def line(self, x1, y1, x2, y2, colour=FAINT):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>')

    def dot(self, x, y):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="#ffffff" stroke="{INK}"/>')

    def title(self, words, about):
        self.y += 30
        self.text(20, self.y, words, 16, weight="bold")
        self.y += 20
        self.text(20, self.y, about, 12, colour="#555555")
        self.y += 14

    def axis(self, longest, unit, rows, right=RIGHT):
        """Lines at round numbers behind the rows; returns what turns a value into a place."""
        step = next(step for power in (1, 10, 100, 1000) for step in (power, 2 * power, 5 * power)
                    if longest / step <= 8)
        count = int(longest / step) + 1
        scale = (WIDTH - LEFT - right) / (step * count)
        bottom = self.y + rows * ROW
        for number in range(count + 1):
            x = LEFT + number * step * scale
            self.line(x, self.y, x, bottom)
            self.text(x, bottom + 16, f"{number * step} {unit}" if number == count else f"{number * step}", 11, "middle",
                      "#555555")
        return lambda value: LEFT + value * scale

    def legend(self, entries):
        x = LEFT
        for words, colour in entries:
            self.box(x, self.y, 12, 12, colour)
            self.text(x + 18, self.y + 11, words, 12)
            x += 34 + 6.7 * len(words)
        self.y += 22

    def svg(self):
        height = self.y + 16
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
                f'font-family="Helvetica, Arial, sans-serif">\n<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def median(row, phase):
    return statistics.median(start[phase] for start in row["starts"]) * 1000


def draw(data):
    drawing = Drawing()
    wholes(drawing, data)
    additions(drawing, data)
    bursts(drawing, data)
    return drawing.svg()


def wholes(drawing, data):
    rows = data["rows"]
    count = min(len(row["starts"]) for row in rows.values())
    drawing.title("Cold start: from a request to its answer, ms",
                  f"Medians of {count} cold starts each; {data['measured']}. Grey is the platform and the program.")
    drawing.legend([(phase, COLOURS[phase]) for phase in PHASES])
    longest = max(sum(median(row, phase) for phase in PHASES) for row in rows.values())
    place = drawing.axis(longest, "ms", len(rows))
    for name, row in rows.items():
        top = drawing.y + (ROW - BAR) / 2
        drawing.text(LEFT - 10, top + 18, name, 13, "end")
        at = 0
        for phase in PHASES:
            length = median(row, phase)
            drawing.box(place(at), top, place(at + length) - place(at), BAR, COLOURS[phase])
            if place(length) - place(0) > 34:
                dark = phase == PHASES[0] or phase == PHASES[3]
                drawing.text((place(at) + place(at + length)) / 2, top + 17, f"{length:.0f}", 12, "middle",
                             "#ffffff" if dark else INK)
            at += length
        drawing.text(place(at) + 6, top + 17, f"{at:.0f}", 12, weight="bold")
        drawing.y += ROW
    drawing.y += 24


def additions(drawing, data):
    rows = data["rows"]
    drawing.title("Of that, what holding and waking add, ms",
                  "Until the Deployment is scaled, and once the program listens. A bar is the median, a dot one cold start.")
    added = {name: [(start[PHASES[0]] + start[PHASES[-1]]) * 1000 for start in row["starts"]] for name, row in rows.items()}
    place = drawing.axis(max(max(values) for values in added.values()), "ms", len(rows))
    for name, row in rows.items():
        top = drawing.y + (ROW - BAR) / 2
        drawing.text(LEFT - 10, top + 18, name, 13, "end")
        middle = statistics.median(added[name])
        first = median(row, PHASES[0])
        drawing.box(place(0), top, place(min(first, middle)) - place(0), BAR, COLOURS[PHASES[0]])
        drawing.box(place(min(first, middle)), top, place(middle) - place(min(first, middle)), BAR, COLOURS[PHASES[3]])
        for value in added[name]:
            drawing.dot(place(value), top + BAR / 2)
        drawing.text(place(max(added[name] + [middle])) + 10, top + 17, f"{middle:.0f}", 12, weight="bold")
        drawing.y += ROW
    drawing.y += 24


def bursts(drawing, data):
    rows = data["rows"]
    drawing.title("200 requests of 3 s at once to a revision at zero: answered after, s",
                  "None failed. At most 50 at once are for one pod; on the right the most that one pod had.")
    drawing.legend([("half of them", BURST[0]), ("all", BURST[1])])
    middle = {name: {key: statistics.median(burst[key] for burst in row["bursts"]) for key in ("half", "all")}
              for name, row in rows.items()}
    place = drawing.axis(max(each["all"] for each in middle.values()), "s", len(rows), right=170)
    for name, row in rows.items():
        top = drawing.y + (ROW - BAR) / 2
        drawing.text(LEFT - 10, top + 18, name, 13, "end")
        drawing.box(place(0), top, place(middle[name]["half"]) - place(0), BAR / 2 - 1, BURST[0])
        drawing.box(place(0), top + BAR / 2, place(middle[name]["all"]) - place(0), BAR / 2, BURST[1])
        most = max(burst["most"] for burst in row["bursts"])
        drawing.text(place(middle[name]["all"]) + 8, top + 17,
                     f"{middle[name]['half']:.1f} / {middle[name]['all']:.1f}; {most} in one pod", 12)
        drawing.y += ROW
    drawing.y += 20
