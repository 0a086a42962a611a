"""One training loop for language models and reward models; only the loss differs."""
