"""Models of every library behind one interface."""
