"""Cases: the report, the terminal waterfall and the table of operators, from the named tables of a run."""
