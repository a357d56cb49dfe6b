"""What is answered instead of what was asked for: a status, a sentence, and when to come back."""

from __future__ import annotations


class ProblemError(Exception):
    """An answer that is no success; the text says what the caller can do."""

    def __init__(self, status: int, text: str, retry_after: float | None = None, detail: object = None) -> None:
        super().__init__(status, text, retry_after, detail)  # so that it can pass between processes
        self.status, self.text, self.retry_after, self.detail = status, text, retry_after, detail

    def as_dict(self) -> dict[str, object]:
        """Plain values."""
        return {"error": self.text} | ({} if self.detail is None else {"detail": self.detail})
