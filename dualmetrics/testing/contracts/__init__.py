"""What every integration must record, as classes of test cases to subclass."""
