"""ECG knowledge as typed, sourced concepts."""
