"""What runs leave on the disk: checkpoints, finished models, metrics."""
