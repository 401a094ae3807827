"""A shop's API, as Django projects with a front end on another origin are written."""
