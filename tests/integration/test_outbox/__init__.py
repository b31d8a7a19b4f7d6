"""The outbox against a real database, a real mail server and a real gateway."""
