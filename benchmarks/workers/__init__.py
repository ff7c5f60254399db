"""The competitors: each module is a process that trains when it is told to."""
