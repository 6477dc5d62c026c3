"""Training by ECG-report pairs: the paper's objective, its faults as options, and ours."""
