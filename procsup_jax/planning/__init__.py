"""What a run needs on a TPU slice, from its real programs compiled without one."""
