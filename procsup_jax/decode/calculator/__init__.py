"""The calculator in the compiled loop: 64-bit integers, fractions of them, expressions, and the loop over tokens."""
