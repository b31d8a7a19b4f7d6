"""From the field into the database: sources, parsing, quarantine. Every step is safe to run twice."""
