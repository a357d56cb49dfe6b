"""From log files to sketches: read, check, cast, pseudonymise, sketch."""
