"""What the converters of data sets share: `tools/dataset_converters/`."""
