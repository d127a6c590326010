"""The tests of lastgood; a package so that `from tests.support.index import Index` works."""
