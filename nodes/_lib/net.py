"""A network of our own: what every one of them is made from."""

import torch


class Net(torch.nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """A module of torch, in the one place where mypy must be told that it does not know it."""
