"""Sources of step labels."""
