"""Data sets of ECG records with reports or labels."""
