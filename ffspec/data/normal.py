"""From quantiles to a normal distribution, in a module of its own: an ejected script carries the function as it is."""

from __future__ import annotations

import numpy as np

from ffspec.data.loaded import Floats


def normal_scores(x: Floats, quantiles: Floats) -> Floats:
    """Return the normal scores of numbers by their place among quantiles.

    As in scikit-learn's QuantileTransformer, the place among equal quantiles is the middle of the lowest and the
    highest one, and beyond the ends it is the end.
    """
    # scipy takes a while to import, and only this needs it.
    from scipy.special import ndtri

    bound = 1e-7
    levels = np.linspace(0, 1, len(quantiles))
    below, above = x - bound < quantiles[0], x + bound > quantiles[-1]
    x = 0.5 * (np.interp(x, quantiles, levels) - np.interp(-x, -quantiles[::-1], -levels[::-1]))
    x[above], x[below] = 1.0, 0.0
    edge = bound - np.spacing(1)
    return np.asarray(np.clip(ndtri(x), ndtri(edge), ndtri(1 - edge)))
