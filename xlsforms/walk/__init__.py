"""Reading a compiled XForm and walking it as ODK Collect does: definition, expressions, answers, check."""
