"""The version of moto that the patches and what is kept are of."""

MOTO_VERSION = "5.2.5"
