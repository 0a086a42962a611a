"""Experiments as data: graphs of stages between typed artefacts, and the folder that they run in."""
