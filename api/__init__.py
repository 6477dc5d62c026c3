"""The service and the command line: wires knowledge, prompts and model."""
