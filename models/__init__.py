"""The networks that the experiments train, each built from a `ModelConfig`."""
