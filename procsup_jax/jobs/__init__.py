"""The jobs of the `procsup` command, one file each: the parameters of `run` are the flags."""
