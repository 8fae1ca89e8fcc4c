"""The version, which every record and file of a run carries."""

__all__ = ["VERSION"]

VERSION = "0.2.0"
