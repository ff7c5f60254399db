"""The effective settings of both sides: what differs, what that does, what aligns it."""
