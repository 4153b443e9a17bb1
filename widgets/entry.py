from typing import cast

from widgets.page import Client, TopPairPage

__all__ = ["top_pair_page"]

_pages: list[TopPairPage] = []


def top_pair_page(client: Client | None = None) -> TopPairPage:
    """Show the live page: the best pair now, what it costs, and whether to believe it.

    Parameters
    ----------
    client : Client, optional
        Where to read. Default: the engine of this machine, found or started by `hlpairs_core.engine.connect`.

    Returns
    -------
    TopPairPage
        Started; a notebook displays it. A page made before in this kernel is closed.

    Raises
    ------
    InputError
        Outside a notebook (no running event loop).
    """
    page = TopPairPage(_connect) if client is None else TopPairPage(lambda: client, owns_client=False)
    page.start()
    while _pages:
        _pages.pop().close()
    _pages.append(page)
    return page


def _connect() -> Client:
    from hlpairs_core.engine.connect import connect

    return cast("Client", connect())
