"""The questionnaires: written as YAML, compiled to XForms, and walked to fill them as a tablet does."""
