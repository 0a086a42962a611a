"""What this project does, as contenders."""
