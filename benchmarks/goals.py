def verdicts(x): return ""
