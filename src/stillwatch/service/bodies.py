"""Bodies of requests as bytes: decompressed within a limit, so that a bomb costs no more than an honest body."""

from __future__ import annotations

import zlib

from stillwatch.service.problems import ProblemError

STEP = 1 << 20


def decoded(body: bytes, encoding: str, most: int) -> bytes:
    """The body without its content encoding; ProblemError: unknown, damaged, or more than `most` bytes."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise ProblemError(415, "content encodings are gzip, deflate and identity")
    out, left = bytearray(), body
    while left:
        stream = zlib.decompressobj(47 if encoding != "deflate" else 15)
        try:
            while not stream.eof:
                piece = stream.decompress(left, min(STEP, most - len(out) + 1))
                left = stream.unconsumed_tail
                out += piece
                if len(out) > most:
                    raise ProblemError(413, f"the body is longer than {most:,} bytes once it is decompressed")
                if not piece and not left:
                    break
        except zlib.error as error:
            raise ProblemError(400, f"the body is not {encoding}") from error
        if not stream.eof:
            raise ProblemError(400, f"the body's {encoding} ends early")
        left = stream.unused_data.lstrip(b"\0")  # another member may follow; zero bytes are padding
    return bytes(out)
