"""What people do to cases, one function an act. Every act takes a Session and commits nothing."""
