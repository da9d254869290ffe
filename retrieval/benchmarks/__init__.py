"""One published data set a file, each ``read(root) -> Benchmark``."""
