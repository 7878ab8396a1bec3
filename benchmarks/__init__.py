"""What recording and exporting cost, against the least Python code that does the same arithmetic."""
