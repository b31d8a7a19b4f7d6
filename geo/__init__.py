"""Places and travel: where people and services are and how long the way is. No database."""
