"""Shared by the converters of data sets: `tools/dataset_converters/`."""
