__version__ = '0.1.0'
MINI_BENCHMARK_VERSION = 2
"""Goes up when the same settings would draw another mini benchmark."""
