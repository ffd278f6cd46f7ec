"""The recipe of the starter family: a renderer of captioned scenes and one training script per model."""
