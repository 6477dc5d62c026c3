"""How the bytes of a text are encoded: UTF-8, UTF-16 with or without its mark, else Latin-1."""

_HEAD = 4096


def decoded(content: bytes) -> str:
    """Return the content as text; UTF-8 or UTF-16 where marked or valid, else Latin-1."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    wide = wide_encoding(content[:_HEAD])
    if wide:
        return content.decode(wide, errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def wide_encoding(head: bytes) -> str | None:
    """Return the kind of UTF-16 of a text without a mark, None if every second byte is not zero."""
    even, odd = head[::2], head[1::2]
    if len(head) >= 16 and odd.count(0) > 0.9 * len(odd) and not even.count(0):
        return "utf-16-le"
    if len(head) >= 16 and even.count(0) > 0.9 * len(even) and not odd.count(0):
        return "utf-16-be"
    return None
