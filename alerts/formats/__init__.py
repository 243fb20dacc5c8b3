"""The dialects of alerts: a module for each, and the registry that names them."""
