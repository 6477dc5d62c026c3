"""ECG and text encoders."""
