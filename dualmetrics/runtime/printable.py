"""Text of others that is safe to print: on a terminal, in a log, in a report."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return the text with every character that is not printable as an escape, such as ``\x1b``.

    These are control characters, line breaks, lone surrogates, and marks for the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def printable_lines(text: str) -> str:
    """Do the same with each line of a text of several lines."""
    return "\n".join(map(printable, text.split("\n")))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
