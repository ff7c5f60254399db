"""The catalogue of known mistakes, and whether the alarms go off."""
