"""The commands of ``python -m parity``, one file each."""
