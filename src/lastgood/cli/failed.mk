$(error lastgood could not write its makefile, see above)
