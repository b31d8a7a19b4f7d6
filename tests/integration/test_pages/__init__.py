"""The pages and their JSON twins, on a real database with real data."""
