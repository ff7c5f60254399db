"""Weights from one model into another, whatever either calls its layers."""
