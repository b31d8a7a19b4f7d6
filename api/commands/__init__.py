"""Sub-commands of `ihala`, one module a noun. Heavy imports stand inside the commands."""
