"""What a provider says of its places, and how old that word is. This module imports no numerical library."""

CAPACITY_STATES = ("has_capacity", "no_capacity", "waitlist", "assessment_required")
"""Codes of a healthcare service's capacity in HL7's Gravity SDOH Clinical Care."""

NOT_RESERVED_BY_RUNS = ("no_capacity", "waitlist")
"""With these nothing is assigned automatically; with the first nobody may be referred there at all."""

FRESHNESS = ("fresh", "stale", "hidden")
"""How long ago the provider confirmed that: stale offers come after all fresh ones, hidden ones are closed."""
