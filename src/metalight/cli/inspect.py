"""`metalight inspect`: who is in the sample of a run, who is not and why, and what it looks like."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metalight.cli.terminal import show

if TYPE_CHECKING:
    from metalight.catalog import LabelNoise
    from metalight.pipeline import Inspection


def inspect(
    run: Annotated[Path, typer.Argument(help="Folder of a run, finished or not.")],
    images: Annotated[int, typer.Option(min=1, max=400, help="Galaxies on a contact sheet.")] = 48,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their choice.")] = 0,
) -> None:
    """Look at a sample: counts, refusals, redshifts, sizes, labels and their noise; contact sheets and histograms."""
    from metalight.pipeline import inspect_run

    for line in _format(inspect_run(run, num_images=images, seed=seed)):
        show(line)


def _format(found: "Inspection") -> list[str]:
    from metalight.evaluation import align_rows

    lines: list[str] = []
    if found.counts:
        rows = [("galaxies", "left", "why")] + [(what, f"{num:,}", why) for what, num, why in found.counts]
        lines += _align_texts(rows)
    if found.refused:
        rows = [("left out by", "number", "reason")] + [(stage, f"{num:,}", why) for stage, num, why in found.refused]
        lines += ["", *_align_texts(rows)]
    if len(found.summary):
        head = ["column", "unit", "number", "missing", "min", "16 %", "50 %", "84 %", "max"]
        values = [
            [
                str(row["column"]),
                str(row["unit"]) or "–",
                f"{row['num']:,}",
                f"{row['num_missing']:,}",
                *(f"{row[name]:.4g}" for name in ("min", "p16", "p50", "p84", "max")),
            ]
            for row in found.summary.to_dict("records")
        ]
        lines += ["", *align_rows([head, *values], num_left=2)]
    for target, noise in found.label_noise.items():
        lines += ["", _describe_noise(target, noise)]
    lines += ["", *found.absent, *(str(path) for path in found.files if path.suffix == ".png")]
    return lines


def _align_texts(rows: list[tuple[str, str, str]]) -> list[str]:
    """Lines of a table whose last column is text."""
    from metalight.evaluation import align_rows

    lines = align_rows([row[:2] for row in rows])
    texts = [row[2] for row in rows]
    texts.insert(1, "─" * max(map(len, texts)))
    return [f"{line.ljust(len(lines[1]))}  {text}".rstrip() for line, text in zip(lines, texts, strict=True)]


def _describe_noise(target: str, noise: "LabelNoise") -> str:
    if not noise.num_galaxies:
        return f"Label noise of {target}: no galaxy was measured again."
    robust, plain = noise.robust_dex, noise.plain_dex
    return (
        f"Label noise of {target}: {robust.value:.4f} dex (68 % interval {robust.low:.4f} to {robust.high:.4f}) by the "
        f"median, {plain.value:.4f} ({plain.low:.4f} to {plain.high:.4f}) by the mean square, of {noise.num_pairs:,} "
        f"pairs of spectra of {noise.num_galaxies:,} galaxies."
    )
