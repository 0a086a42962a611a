"""The generated testbed: short stories about quantities, their solutions, and an exact oracle."""
