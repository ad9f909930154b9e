"""A training step without autograd: for every layer and loss the operations PyTorch itself would call, both ways.

On a small network autograd costs more than the arithmetic: nodes are made, found again, and thrown away in every step.
What it would call is known from the plan, so it is written out here, once for each layer, and its results go into
buffers that are made once. The operations are the same and so are the bits; a layer or loss that is not written out is
differentiated by autograd, alone.

A layer is a `Pair`, two functions that share what they must remember; `table.py` says which pair belongs to which
layer and loss, `blocks.py` strings them together, and `passes.py` adds the loss. Rows may have any axes in front, such
as one of members: what acts on each number or on the last axis needs no other form for a stack of networks, and what
has weights of its own for each member is one more row of the table (`stacked.py`).
"""
