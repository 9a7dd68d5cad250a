"""report: what was claimed, what was measured, and whether both agree, as Markdown."""

from statistics import median


class Claims:
    """Each claim once, in the order in which it was looked at. What was not judged is neither kept nor broken."""

    def __init__(self):
        self.lines, self.broken = [], 0

    def hold(self, claim, wrong, remark=""):
        """`wrong`: what speaks against it; nothing, if it holds."""
        self.broken += bool(wrong)
        self.lines.append((claim, "**BROKEN**" if wrong else "holds", remark))
        self.lines += [("", "", f"- {what}") for what in wrong[:20]]
        if len(wrong) > 20:
            self.lines.append(("", "", f"- and {len(wrong) - 20} more"))

    def not_judged(self, claim, why):
        self.lines.append((claim, "not judged", why))

    def table(self):
        rows = [f"| {claim} | {verdict} | {remark.replace('|', '/')} |" for claim, verdict, remark in self.lines]
        return "\n".join(["| claim | | |", "|---|---|---|", *rows])


def longer_life(samples, lives):
    """The samples of the daemon's longer life without its first minute, in which caches and pools fill."""
    spans = [(ended or samples[-1]["at"]) - began for began, ended in lives]
    number = spans.index(max(spans)) + 1
    began = lives[number - 1][0]
    return number, [sample for sample in samples if sample["life"] == number and sample["at"] >= began + 60 and sample["rss_kib"]]


def quarters(samples, field):
    """The medians of the first and the last quarter, by time."""
    first, last = samples[0]["at"], samples[-1]["at"]
    quarter = (last - first) / 4
    begin = [sample[field] for sample in samples if sample["at"] <= first + quarter]
    end = [sample[field] for sample in samples if sample["at"] >= last - quarter]
    return median(begin), median(end)


def most(samples, field):
    return max((sample[field] for sample in samples if sample[field] is not None), default=0)


def mib(kib):
    return f"{kib / 1024:.1f} MiB"


def megabytes(count):
    return f"{count / 1e6:,.1f} MB"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])
