"""One file a data set; noise models lie in ``datasets/noise/``."""
