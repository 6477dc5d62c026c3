"""The service and the command line: wires knowledge, prompts and model."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("merl-ckepe")
except PackageNotFoundError:
    __version__ = "0+unknown"
