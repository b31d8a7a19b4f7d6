"""Everything that faces a person or a clock: pages, JSON, what ODK Collect calls, commands. Nobody imports it."""
