"""One module per format family; each offers `FORMATS`, found by the registry."""
