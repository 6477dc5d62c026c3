"""ECG file readers, one module per format family, found by content."""
