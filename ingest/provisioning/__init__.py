"""What should stand in ODK Central for this installation: wanted, standing, the plan between, applying, checking."""
