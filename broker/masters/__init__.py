"""Read the lists of instruments that brokers publish, each in its own format, to rows of one form."""
