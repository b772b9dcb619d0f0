"""Gas-phase metallicities of galaxies, predicted from three-colour images."""

__version__ = "0.1.0"
