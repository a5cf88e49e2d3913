"""Files of cheap and careful labels -> the data set that a student learns: forms, joins, corrections."""
