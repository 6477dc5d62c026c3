"""Speed and clinical benchmarks; each module runs by itself."""
