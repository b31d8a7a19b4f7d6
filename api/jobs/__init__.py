"""The jobs that a clock or an arrival starts: their table, what each does, and how one run goes."""
