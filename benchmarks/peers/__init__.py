"""What other libraries do, as contenders: each module imports its own library, numpy and `benchmarks` alone."""
