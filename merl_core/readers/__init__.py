"""ECG file readers: one module per format family, found by content.

`read_record` reads in this process. A service that takes files from strangers uses
`merl_core.readers.pool.ReaderPool`, which parses in a child process with limits.
"""

from merl_core.readers.reading import read_files, read_record
from merl_core.readers.registry import Format, formats

__all__ = ["Format", "formats", "read_files", "read_record"]
