"""What goes wrong between a test and its tape drive."""


class TapeError(Exception):
    """A program of pseudotape is missing, refused what it was asked, or ended by itself. The message has its own words."""
