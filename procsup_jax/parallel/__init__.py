"""Device meshes and the one table that maps logical array axes onto them."""
