"""Where submissions come from: the built-in OpenRosa inbox and ODK Central."""
