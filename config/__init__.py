"""The operator's settings: read once at the start, checked as a whole, frozen from then on."""
