"""A 12-lead ECG simulator: findings in, record and report out."""
