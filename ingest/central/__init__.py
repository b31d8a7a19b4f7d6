"""ODK Central as this project talks to it: accounts, one session, and a module for each kind of thing it keeps."""
