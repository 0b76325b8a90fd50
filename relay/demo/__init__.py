"""A simulated MSR, and the demonstration around it."""
