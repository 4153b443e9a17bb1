"""The page that shows the top pair, as Jupyter widgets."""

from widgets.card_view import CardView, card_view
from widgets.entry import top_pair_page
from widgets.page import TopPairPage
from widgets.view_model import page_view
from widgets.views import PageView

__all__ = ["CardView", "PageView", "TopPairPage", "card_view", "page_view", "top_pair_page"]
