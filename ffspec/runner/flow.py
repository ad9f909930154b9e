"""The rows of a split that is streamed: read anew in every pass, and shuffled within a window.

The row groups come in an order drawn anew in every epoch, and so do the rows of a window among each other. Both draws
are of the stream that the row order is drawn from where all rows are in memory, so that a seed means the same bits.

Shapes: B batch, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ffspec.runner.batches import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ffspec.data.loaded import Split
    from ffspec.data.streamed.stream import Stream
    from ffspec.runner.evaluation import Batch
    from ffspec.spec.training import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """All rows of one split."""

    stream: Stream
    split: str
    convert: Callable[[Split], Batch]
    """Makes tensors of rows, on the device."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.stream.rows[self.split]

    def batches(self, settings: Training, order: torch.Generator) -> FlowingBatches:
        """Return what gives out the rows of one epoch after the other."""
        return FlowingBatches(self, settings, order)

    def window(self, pieces: Sequence[int], places: torch.Tensor) -> Rows:
        """Read pieces, each row to its place; as they come, so that there is no second copy of all."""
        made: Rows | None = None
        start = 0
        for piece in pieces:
            batch = self.convert(self.stream.read(piece, (self.split,))[self.split])
            if made is None:
                made = _like(batch, len(places))
            chosen = places[start : start + batch.rows].to(batch.x.device)
            made[0].index_copy_(0, chosen, batch.x)
            made[1].index_copy_(0, chosen, batch.target)
            if made[2] is not None and batch.weight is not None:
                made[2].index_copy_(0, chosen, batch.weight)
            start += batch.rows
        if made is None:
            raise IndexError
        return made


class FlowingBatches:
    """Gives out the training rows of a file."""

    def __init__(self, flow: Flow, settings: Training, order: torch.Generator) -> None:
        self._flow, self._order = flow, order
        self._size = min(int(settings.batch_size), flow.rows)
        self._drops = settings.drop_last
        self.shuffled = settings.shuffle

    def epoch(self, taken: int = 0) -> Iterator[Rows]:
        """Yield the rows of every step, in a new order if they are shuffled; windows that are left out are not read.

        Args:
            taken: Steps of the epoch that are left out.
        """
        size, begin, at, rest = self._size, taken * self._size, 0, None
        for pieces, places in self._windows():
            at += len(places)
            if at <= begin:
                continue
            window = self._flow.window(pieces, places)
            start = max(0, begin - (at - len(places)))
            if rest is not None:
                start = min(size - len(rest[0]), len(places))
                rest = _joined(rest, _part(window, 0, start))
                if len(rest[0]) < size:
                    continue
                yield rest
            for low in range(start, len(places) - size + 1, size):
                yield _part(window, low, low + size)
            left = (len(places) - start) % size
            # A copy, so that the window can go before the next one is read.
            rest = _joined(_part(window, len(places) - left, len(places))) if left else None
            del window
        if rest is not None and not self._drops:
            yield rest

    def _windows(self) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Yield the pieces of each window, and the place that each of their rows takes in it."""
        stream = self._flow.stream
        counts = stream.counts(self._flow.split)
        pieces = [piece for piece, count in enumerate(counts) if count]
        if self.shuffled:
            pieces = [pieces[place] for place in torch.randperm(len(pieces), generator=self._order).tolist()]
        while pieces:
            window = [pieces.pop(0)]
            while pieces and sum(counts[piece] for piece in window) + counts[pieces[0]] <= stream.buffer:
                window.append(pieces.pop(0))
            rows = sum(counts[piece] for piece in window)
            yield window, torch.randperm(rows, generator=self._order) if self.shuffled else torch.arange(rows)


def flowing(flows: Mapping[str, Flow]) -> Iterator[tuple[str, Batch]]:
    """Yield all rows of some splits of one data set, each piece of its file read once; nothing is shuffled."""
    first = next(iter(flows.values()))
    counts = {name: first.stream.counts(name) for name in flows}
    for piece in range(len(first.stream.division.rows)):
        wanted = [name for name in flows if counts[name][piece]]
        for name, split in first.stream.read(piece, wanted).items() if wanted else ():
            yield name, flows[name].convert(split)


def _like(batch: Batch, rows: int) -> Rows:
    """Return room for so many rows."""
    weight = None if batch.weight is None else batch.weight.new_empty(rows)
    return batch.x.new_empty(rows, *batch.x.shape[1:]), batch.target.new_empty(rows, *batch.target.shape[1:]), weight


def _part(rows: Rows, start: int, stop: int) -> Rows:
    x_BF, target, weight = rows
    return x_BF[start:stop], target[start:stop], None if weight is None else weight[start:stop]


def _joined(*parts: Rows) -> Rows:
    weights = [weight for _, _, weight in parts if weight is not None]
    return (
        torch.cat([x for x, _, _ in parts]),
        torch.cat([y for _, y, _ in parts]),
        torch.cat(weights) if weights else None,
    )
