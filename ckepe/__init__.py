"""Verified prompts for ECG classes (Clinical Knowledge Enhanced Prompt Engineering)."""
