"""MERL: ECG records and prompts in, zero-shot scores out."""
