"""What an operator can set: read once at the start, checked as a whole, frozen from then on."""
