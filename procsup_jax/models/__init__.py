"""The decoder-only language model that policies and reward models share; `api` is the only door."""
