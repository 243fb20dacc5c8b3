"""Power loss: what a disk may hold after it, and whether the service keeps its promises on that."""
