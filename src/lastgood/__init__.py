"""lastgood: run tools through uvx, and keep the last version that worked."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    __version__: str

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: importlib.metadata costs more than a whole hot run."""
    if name == "__version__":
        from importlib.metadata import version

        return version("lastgood")
    raise AttributeError(name)
