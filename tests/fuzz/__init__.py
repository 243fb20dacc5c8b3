"""Bodies that no platform sends, through the door of the alerts: `python -m tests.fuzz`."""
