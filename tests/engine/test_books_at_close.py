"""Which of a coin's books a closed bar is priced from."""

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.engine.books import FRESH_SECONDS, Books
from hlpairs_core.exchange import HyperliquidClient, OrderBook
from hlpairs_core.exchange.events import BookEvent

CLOSE = pd.Timestamp("2025-06-01T12:00Z")


class Wall:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def books(wall: Wall) -> Books:
    return Books(HyperliquidClient("http://127.0.0.1:1"), clock=wall)


def take(books: Books, wall: Wall, *seconds: float) -> None:
    """Let books of BTC come that are so many seconds of the market's time after the close."""
    for after in seconds:
        level = np.array([[100.0, 1.0]])
        book = OrderBook("BTC", CLOSE + pd.Timedelta(seconds=after), level, level + 1)
        books.take(BookEvent(book=book, fast=False, received_at=wall.now))


def used(books: Books, speed: float = 1.0) -> list[float]:
    """Return how many seconds after the close the book is from that is used; nothing where none is."""
    return [(book.time - CLOSE).total_seconds() for book in books.at(CLOSE, ["BTC", "ETH"], speed=speed).values()]


def test_a_bar_is_priced_from_the_last_book_until_its_close_however_late_it_is_screened(books, wall):
    take(books, wall, -9.0, -4.0, 0.0)
    assert used(books) == [0.0]
    take(books, wall, 5.0, 10.0, 15.0)
    wall.now += 60.0
    assert used(books) == [0.0]


def test_a_book_from_after_the_close_prices_no_bar(books, wall):
    take(books, wall, 0.001, 2.0, 7.0)
    assert used(books) == []


def test_books_that_came_in_another_order_are_taken_by_their_own_time(books, wall):
    take(books, wall, -1.0, -6.0)
    assert used(books) == [-1.0]


@pytest.mark.parametrize("speed", [1.0, 600.0])
def test_a_coin_whose_books_stopped_coming_before_the_close_has_none(books, wall, speed):
    take(books, wall, -FRESH_SECONDS * speed)
    assert used(books, speed) == []
    take(books, wall, -FRESH_SECONDS * speed + 1.0)
    assert used(books, speed) == [-FRESH_SECONDS * speed + 1.0]


def test_the_newest_book_is_handed_out_while_it_is_new(books, wall):
    take(books, wall, -1.0, 15.0)
    assert [(book.time - CLOSE).total_seconds() for book in books.fresh(["BTC", "ETH"]).values()] == [15.0]
    wall.now += FRESH_SECONDS
    assert books.fresh(["BTC"]) == {}


def test_a_coin_that_is_no_longer_listed_is_forgotten(books, wall):
    take(books, wall, -1.0)
    books.keep_only(["ETH"])
    assert used(books) == []
    assert books.fresh(["BTC"]) == {}
