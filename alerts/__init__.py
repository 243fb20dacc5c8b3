"""Where alerts come in: the webhook, its secrets and limits, and one pure reader for each dialect."""
