__version__ = '0.2.0'
MINI_BENCHMARK_VERSION = 2
"""Goes up when the same settings would draw another mini benchmark."""
