"""Make encoders: recipes, losses, samplers, the trainer."""
