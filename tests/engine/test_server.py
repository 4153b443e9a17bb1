import asyncio
import json

import httpx
import pytest
import websockets
from prometheus_client import CollectorRegistry, Gauge

from hlpairs_core.engine.client import EngineClient
from hlpairs_core.engine.server import Hub, Tokens, listen, parse_window
from hlpairs_core.exceptions import EngineError, EngineUnreachable, ExchangeUnavailable, InputError, StoreError


class FixedSource:
    """A source whose answers are known."""

    ok = True

    def health(self):
        return {"ok": self.ok, "message_age_seconds": 0.5, "problems": []}

    def status(self):
        return {"uptime_seconds": 1.0}

    def history(self, window_seconds):
        return [{"window": window_seconds}]

    async def books(self, coins):
        if coins == ["DOWN"]:
            raise ExchangeUnavailable("l2Book DOWN: no usable answer")
        return {"asked": coins}

    async def frame(self, kind, *, coins, bars, interval):
        if coins == ["NOPE"]:
            raise InputError("the exchange lists no coin 'NOPE'")
        if coins == ["DOWN"]:
            raise ExchangeUnavailable("candleSnapshot DOWN 1h: no usable answer")
        return f"{kind} {coins} {bars} {interval}".encode()


class Server:
    def __init__(self):
        self.hub = Hub({"n": 0})
        self.source = FixedSource()
        self.tokens = Tokens(read="r" * 20, admin="a" * 20)
        self.stopped = asyncio.Event()
        registry = CollectorRegistry()
        Gauge("hlpairs_test", "A gauge", registry=registry).set(3)
        self.url, self.close = listen(
            hub=self.hub,
            source=self.source,
            tokens=self.tokens,
            registry=registry,
            stop=self.stopped.set,
            port=0,
            clock=lambda: 42.0,
        )


@pytest.fixture
async def server():
    running = Server()
    yield running
    await running.close()


@pytest.fixture
async def http(server):
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(("text", "seconds"), [("15m", 900), ("90s", 90), ("2h", 7200), ("1d", 86400), ("0m", 0)])
def test_a_window_is_a_number_and_a_unit(text, seconds):
    assert parse_window(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "-5m", "15 m", "1e9h", "15m; drop", "999999d", "١m"])
def test_a_window_of_another_form_is_refused(text):
    with pytest.raises(InputError, match="use a number and s, m, h or d"):
        parse_window(text)


async def test_the_top_endpoint_serves_the_newest_answer_and_counts_as_a_read(server, http):
    server.hub.publish({"n": 7})
    response = await http.get("/pairs/top")
    assert response.json() == {"n": 7}
    assert response.headers["Cache-Control"] == "no-store"
    assert server.hub.last_read == 42.0


async def test_the_history_takes_a_window_and_refuses_nonsense_in_words(http):
    assert (await http.get("/pairs/top/history", params={"window": "1h"})).json()["snapshots"] == [{"window": 3600.0}]
    refused = await http.get("/pairs/top/history", params={"window": "soon"})
    assert refused.status_code == 400
    assert "window is 'soon'" in refused.text


@pytest.mark.parametrize("path", ["/pairs/top/history", "/status", "/candles"])
async def test_a_data_folder_that_cannot_be_read_is_said_so_without_its_name(server, http, path):
    def broken(*_, **__):
        raise StoreError("cannot read /nowhere/secret: input/output error")

    server.source.history = server.source.status = server.source.frame = broken
    response = await http.get(path)
    assert response.status_code == 503
    assert "the data folder cannot be read" in response.text
    assert "secret" not in response.text


async def test_health_is_503_when_something_is_wrong(server, http):
    assert (await http.get("/health")).status_code == 200
    server.source.ok = False
    assert (await http.get("/health")).status_code == 503


async def test_metrics_are_in_prometheus_format(http):
    response = await http.get("/metrics")
    assert "hlpairs_test 3.0" in response.text
    assert response.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"bars": "0"}, "bars is '0'"),
        ({"bars": "-3"}, "bars is '-3'"),
        ({"bars": "6000"}, "from 1 to 5000"),
        ({"bars": "ten"}, "bars is 'ten'"),
        ({"coins": "BTC"}, "use a JSON list of names"),
        ({"coins": "[1]"}, "use a JSON list of names"),
        ({"coins": '["NOPE"]'}, "no coin 'NOPE'"),
        ({"coins": "[" * 5000}, "use a JSON list of names"),
    ],
)
async def test_bad_parameters_of_a_frame_are_refused_in_words(http, params, said):
    response = await http.get("/candles", params=params)
    assert response.status_code == 400
    assert said in response.text


@pytest.mark.parametrize("kind", ["candles", "funding", "universe", "ticks", "seconds"])
async def test_a_frame_passes_its_parameters_on(http, kind):
    response = await http.get(f"/{kind}", params={"coins": '["BTC"]', "bars": "12", "interval": "5m"})
    assert response.text == f"{kind} ['BTC'] 12 5m"
    assert (await http.get(f"/{kind}")).text == f"{kind} None 337 None"


async def test_books_are_asked_for_by_coin_or_as_they_are(http):
    assert (await http.get("/books")).json() == {"asked": None}
    assert (await http.get("/books", params={"coins": '["BTC"]'})).json() == {"asked": ["BTC"]}
    refused = await http.get("/books", params={"coins": "BTC"})
    assert (refused.status_code, "use a JSON list of names" in refused.text) == (400, True)


@pytest.mark.parametrize("path", ["/candles", "/books"])
async def test_what_the_exchange_does_not_give_is_said_so(http, path):
    response = await http.get(path, params={"coins": '["DOWN"]'})
    assert response.status_code == 503
    assert "DOWN" in response.text
    assert "no usable answer" in response.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]:1", ""])
async def test_a_foreign_host_name_needs_a_token(server, http, host):
    refused = await http.get("/pairs/top", headers={"Host": host})
    assert refused.status_code in (400, 403)
    if host:
        headers = {"Host": host, "Authorization": f"Bearer {server.tokens.read}"}
        assert (await http.get("/pairs/top", headers=headers)).status_code == 200


async def test_a_foreign_origin_is_refused(http):
    assert (await http.get("/pairs/top", headers={"Origin": "http://evil.example"})).status_code == 403


async def test_only_the_admin_token_stops_the_engine(server, http):
    assert (await http.post("/stop")).status_code == 403
    headers = {"Authorization": f"Bearer {server.tokens.read}"}
    assert (await http.post("/stop", headers=headers)).status_code == 403
    assert not server.stopped.is_set()
    headers = {"Authorization": f"Bearer {server.tokens.admin}"}
    assert (await http.post("/stop", headers=headers)).status_code == 200
    assert server.stopped.is_set()


@pytest.mark.parametrize("path", ["/nope", "/pairs/top/../../etc/passwd", "/pairs/topp"])
async def test_unknown_paths_are_404(http, path):
    assert (await http.get(path)).status_code == 404


async def test_a_listener_gets_the_present_answer_at_once_and_each_new_one(server):
    address = server.url.replace("http", "ws") + "/ws/top"
    async with websockets.connect(address, proxy=None) as socket:
        assert json.loads(await socket.recv()) == {"n": 0}
        server.hub.publish({"n": 1})
        assert json.loads(await socket.recv()) == {"n": 1}
        await socket.send("whatever")
        server.hub.publish({"n": 2})
        assert json.loads(await socket.recv()) == {"n": 2}


async def test_a_slow_listener_gets_the_newest_answer_and_no_queue_of_old_ones(server):
    address = server.url.replace("http", "ws") + "/ws/top"
    async with websockets.connect(address, proxy=None) as socket:
        await socket.recv()
        for number in range(100):
            server.hub.publish({"n": number})  # no turn of the loop in between: none can leave
        assert json.loads(await socket.recv()) == {"n": 99}
        server.hub.publish({"n": 100})
        assert json.loads(await socket.recv()) == {"n": 100}


async def test_a_websocket_from_a_foreign_page_is_refused(server):
    address = server.url.replace("http", "ws") + "/ws/top"
    with pytest.raises(websockets.InvalidStatus, match="403"):
        async with websockets.connect(address, proxy=None, origin="http://evil.example"):
            pass


async def test_a_taken_port_is_named(server):
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(EngineError, match=rf"port {port} on 127\.0\.0\.1 cannot be used"):
        listen(
            hub=server.hub,
            source=server.source,
            tokens=server.tokens,
            registry=CollectorRegistry(),
            stop=lambda: None,
            port=port,
            clock=lambda: 0.0,
        )


async def test_the_client_reads_what_the_server_says(server):
    client = EngineClient(server.url)
    assert await asyncio.to_thread(client.top) == {"n": 0}
    assert await asyncio.to_thread(client.history, "2m") == [{"window": 120.0}]
    assert (await asyncio.to_thread(client.health))["ok"] is True
    with pytest.raises(InputError, match="window is 'x'"):
        await asyncio.to_thread(client.history, "x")
    client.close()
    client.close()


async def test_a_subscriber_sees_the_engine_go_away(server):
    client = EngineClient(server.url)
    answers = client.subscribe()
    assert await anext(answers) == {"n": 0}
    await server.close()
    with pytest.raises(EngineUnreachable, match="start it with `hlpairs engine`"):
        await anext(answers)
    client.close()


def test_an_engine_that_is_not_there_is_said_so():
    with EngineClient("http://127.0.0.1:9") as client, pytest.raises(EngineUnreachable, match=r"127\.0\.0\.1:9"):
        client.top()


def test_a_refusal_by_the_engine_is_passed_on():
    transport = httpx.MockTransport(lambda _: httpx.Response(403, text="no"))
    with EngineClient("http://127.0.0.1:9", transport=transport) as client, pytest.raises(EngineError, match="403 no"):
        client.top()


@pytest.mark.parametrize("call", ["top", "health", "candles"])
def test_another_program_in_the_engine_s_place_is_recognised(call):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>hello</html>"))
    with (
        EngineClient("http://127.0.0.1:9", transport=transport) as client,
        pytest.raises(EngineError, match=r"is no engine: b?'<html>hello</html>'"),
    ):
        getattr(client, call)()


async def test_a_client_shows_its_token_to_nobody(server):
    client = EngineClient(server.url, "sesame")
    assert "sesame" not in repr(client)
    client.close()
