"""The table that the command prints."""

import statistics
from collections.abc import Iterable

from benchmarks.peers.comparison import BULK, Comparison, Footprint

HEAD = f"""\
{"":<12}{"CPU of one row":^30}{f"CPU of {BULK:,} rows":^20}{"start":>10}{"memory, MiB":>20}
{"":<12}{"µs":>9}{"of empty":>11}{"/ ours":>10}{"s":>10}{"/ ours":>10}{"s":>10}{"one row":>10}{"bulk":>10}"""


def peer_line(name: str, comparison: Comparison) -> str:
    """Medians over the turns of a peer; `of empty` is the share of the empty resource's requests per CPU second."""
    costs = [theirs for _, _, theirs in comparison.one]
    shares = [empty / theirs for empty, _, theirs in comparison.one]
    ratios = [theirs / ours for _, ours, theirs in comparison.one]
    bulk = [theirs for _, theirs in comparison.many]
    bulk_ratios = [theirs / ours for ours, theirs in comparison.many]
    return _line(name, costs, shares, ratios, bulk, bulk_ratios, comparison.footprint)


def own_line(footprint: Footprint, comparisons: list[Comparison]) -> str:
    """Our own server, over the turns of all peers."""
    turns = [turn for comparison in comparisons for turn in comparison.one]
    bulk = [ours for comparison in comparisons for ours, _ in comparison.many]
    shares = [empty / ours for empty, ours, _ in turns]
    return _line("ours", [ours for _, ours, _ in turns], shares, [1.0], bulk, [1.0], footprint)


def _line(
    name: str, costs: Iterable[float], shares: Iterable[float], ratios: Iterable[float], bulk: Iterable[float],
    bulk_ratios: Iterable[float], footprint: Footprint,
) -> str:  # fmt: skip
    one, share, ratio, many, bulk_ratio = map(statistics.median, (costs, shares, ratios, bulk, bulk_ratios))
    return (
        f"{name:<12}{one * 1e6:>9,.0f}{share:>11.3f}{ratio:>10.2f}{many:>10.2f}{bulk_ratio:>10.2f}"
        f"{footprint.start:>10.1f}{footprint.memory:>10.0f}{footprint.memory_after:>10.0f}"
    )
