"""A code of a few noisy numbers with limited information."""

from torch import Tensor

__all__ = ['rate_of']


def rate_of(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(μ, σ²) ‖ N(0, 1)) of each code, (K,) in nats, from (K, N) each."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
