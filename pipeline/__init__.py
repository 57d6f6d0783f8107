"""What makes the model: the stages of `dvc repro`, the experiments about them, and the tools for a trained network."""
