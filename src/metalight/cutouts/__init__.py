"""Cutouts: the image files of galaxies, and which file belongs to which galaxy."""

from metalight.cutouts.folder import IMAGE_SUFFIXES, FoundCutouts, find_cutouts, list_cutouts

__all__ = ["IMAGE_SUFFIXES", "FoundCutouts", "find_cutouts", "list_cutouts"]
