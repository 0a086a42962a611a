"""Problem sets, the generated testbed, and packing into fixed shapes."""
