import asyncio
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest
import websockets
from dashboard_process import run_dashboard, wait_until

from hlpairs_core.dashboard import DashboardApp, notebook_path
from hlpairs_core.dashboard.handlers import well_formed
from hlpairs_core.dashboard.kernels import visitor_environment
from hlpairs_core.exceptions import EngineError

PROTOCOL = "v1.kernel.websocket.jupyter.org"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the kernels from /proc")


@pytest.fixture(scope="module")
def visited(dashboard):
    """The page's answer to one visitor, whose kernel goes on."""
    answer = httpx.get(dashboard.url, timeout=60)
    kernel_id = re.search(r'"kernelId": "([0-9a-f-]+)"', answer.text).group(1)
    yield answer, kernel_id
    httpx.post(
        f"{dashboard.url}voila/api/shutdown/{kernel_id}",
        cookies=dict(answer.cookies),
        data={"_xsrf": answer.cookies["_xsrf"]},
    ).raise_for_status()


def test_the_page_answers_with_a_skeleton_a_title_and_a_viewport(visited):
    answer, _ = visited
    assert answer.status_code == 200
    assert "<title>hlpairs – top pair</title>" in answer.text
    assert 'name="viewport" content="width=device-width, initial-scale=1.0"' in answer.text
    assert "Starting the page" in answer.text
    assert answer.text.index("Starting the page") < answer.text.index("kernelId")


def test_the_page_names_no_other_machine(visited):
    answer, _ = visited
    links = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert [link for link in links if not link.startswith(("/", "data:"))] == []
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_the_page_holds_neither_its_program_nor_a_secret(visited):
    answer, _ = visited
    assert "top_pair_page" not in answer.text
    assert "read-secret" not in answer.text


def test_a_kernel_gets_the_engines_address_and_the_read_token_and_no_other_setting(dashboard, visited, engine):
    environment = dashboard.kernel_environment()
    ours = {name: value for name, value in environment.items() if name.startswith("HLPAIRS_")}
    assert ours == {"HLPAIRS_ENGINE_URL": engine.url, "HLPAIRS_ENGINE_READ_TOKEN": "read-secret"}


def test_granted_settings_replace_all_others():
    before = {"PATH": "/bin", "HLPAIRS_ADMIN_TOKEN": "x", "HLPAIRS_ENGINE_URL": "evil"}
    assert visitor_environment(before, {"HLPAIRS_ENGINE_URL": "u"}) == {"PATH": "/bin", "HLPAIRS_ENGINE_URL": "u"}


@pytest.mark.parametrize(
    "path",
    [
        "top_pair.ipynb",
        "voila/files/top_pair.ipynb",
        "voila/render/top_pair.ipynb",
        "voila/tree",
        "voila/api/contents/",
        "voila/templates/lab/static/../../../../../../../etc/passwd",
        "voila/templates/lab/static/%2e%2e/%2e%2e/conf.json",
        "logout",
        "api/kernels",
        "api/contents",
        "terminals",
        "anything",
    ],
)
def test_nothing_but_the_page_and_its_assets_is_served(dashboard, path):
    assert httpx.get(f"{dashboard.url}{path}").status_code == 404


def test_an_unknown_address_is_a_plain_page_of_ours(dashboard):
    answer = httpx.get(f"{dashboard.url}anything")
    assert "There is one page here" in answer.text
    assert "cdn" not in answer.text


def test_a_request_for_another_host_is_refused(dashboard):
    assert httpx.get(dashboard.url, headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("destination", ["image", "iframe", "script", "empty"])
def test_another_site_cannot_start_kernels_by_embedding_the_page(dashboard, visited, destination):
    before = dashboard.kernels()
    assert httpx.get(dashboard.url, headers={"Sec-Fetch-Dest": destination}).status_code == 403
    assert dashboard.kernels() == before


def test_a_kernel_has_no_statistics_library_in_memory(dashboard, visited, engine):
    wait_until(lambda: engine.tokens)
    loaded = Path(f"/proc/{max(dashboard.kernels())}/maps").read_text()
    assert "/site-packages/numpy/" in loaded
    assert [name for name in ("scipy", "statsmodels", "arch") if f"/site-packages/{name}/" in loaded] == []


def test_a_hostile_theme_is_dropped(dashboard, visited):
    evil = '"><script>alert(1)</script>'
    with httpx.stream("GET", dashboard.url, params={"theme": evil, "template": evil}, timeout=60) as answer:
        text = answer.read().decode()
    assert answer.status_code == 200
    assert "alert(1)" not in text
    kernel_id = re.search(r'"kernelId": "([0-9a-f-]+)"', text).group(1)
    httpx.delete(
        f"{dashboard.url}api/kernels/{kernel_id}",
        cookies=dict(answer.cookies),
        headers={"X-XSRFToken": answer.cookies["_xsrf"]},
    ).raise_for_status()


def test_a_kernel_is_not_ended_without_the_cookie_of_the_page(dashboard, visited):
    _, kernel_id = visited
    assert httpx.post(f"{dashboard.url}voila/api/shutdown/{kernel_id}").status_code == 403


@pytest.mark.parametrize(
    "message",
    [
        "text",
        b"",
        b"\x01",
        b"\xff" * 8,
        (2**40).to_bytes(8, "little") + b"x" * 64,
        (1).to_bytes(8, "little") * 4,
        (5).to_bytes(8, "little") + b"x" * 8,
        (3).to_bytes(8, "little") + b"\xff" * 24,
    ],
)
def test_a_malformed_message_is_recognised(message):
    assert not well_formed(message)


def test_a_message_of_the_protocol_is_recognised():
    assert well_formed(kernel_message("kernel_info_request", {}))


def channel(dashboard, kernel_id):
    return f"{dashboard.url.replace('http', 'ws', 1)}api/kernels/{kernel_id}/channels?session_id=test"


async def test_a_socket_without_the_kernel_protocol_is_refused(dashboard, visited):
    with pytest.raises(websockets.InvalidStatus, match="400"):
        await websockets.connect(channel(dashboard, visited[1]))


@pytest.mark.parametrize(
    "message",
    [b"\xff" * 16, (3).to_bytes(8, "little") + b"\xff" * 24, b'{"not": "binary"}' * 9],
    ids=["huge-count", "wild-offsets", "json"],
)
async def test_a_malformed_message_closes_its_socket_and_the_server_goes_on(dashboard, visited, message):
    async with websockets.connect(channel(dashboard, visited[1]), subprotocols=[PROTOCOL], max_size=None) as socket_:
        await socket_.send(message)
        await asyncio.wait_for(socket_.wait_closed(), 10)
    await still_serves(dashboard)


async def still_serves(dashboard):
    async with httpx.AsyncClient(timeout=5) as client:
        assert (await client.get(f"{dashboard.url}ready")).status_code == 200


async def test_what_arrives_after_a_malformed_message_is_not_read_any_more(dashboard, visited):
    # Read as another protocol, the count of this message is some 100 million: seconds in which nothing is served.
    late = kernel_message("kernel_info_request", {})
    async with websockets.connect(channel(dashboard, visited[1]), subprotocols=[PROTOCOL], max_size=None) as socket_:
        await socket_.send(b"\xff" * 16)
        await socket_.send(late)
        await asyncio.wait_for(socket_.wait_closed(), 5)
    await still_serves(dashboard)
    assert "Traceback" not in dashboard.log.read_text()


def kernel_message(kind, content):
    header = {"msg_id": kind, "msg_type": kind, "session": "s", "username": "u", "version": "5.3", "date": ""}
    parts = [b"shell", *(json.dumps(part).encode() for part in (header, {}, {}, content))]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return b"".join(number.to_bytes(8, "little") for number in (len(offsets), *offsets)) + b"".join(parts)


async def test_code_sent_to_a_kernel_is_not_run(dashboard, visited, tmp_path):
    proof = tmp_path / "proof"
    code = {"code": f"open({str(proof)!r}, 'w')", "silent": True}
    async with websockets.connect(channel(dashboard, visited[1]), subprotocols=[PROTOCOL], max_size=None) as socket_:
        await socket_.send(kernel_message("execute_request", code))
        await socket_.send(kernel_message("kernel_info_request", {}))
        while b"kernel_info_reply" not in await asyncio.wait_for(socket_.recv(), 10):
            continue
    assert not proof.exists()


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=f"port {port} of 127.0.0.1 .*--port 0"):
            DashboardApp({}).listen_on(port)


def test_a_kernel_that_nobody_looks_at_is_ended_and_sigterm_leaves_nothing(engine):
    with run_dashboard(engine.url, unwatched=2.0) as dashboard:
        httpx.get(dashboard.url, timeout=60).raise_for_status()
        assert len(dashboard.kernels()) == 1
        wait_until(lambda: dashboard.kernels() == [])
        httpx.get(dashboard.url, timeout=60).raise_for_status()
        (kernel,) = dashboard.kernels()
        os.kill(dashboard.process.pid, signal.SIGTERM)
        assert dashboard.process.wait(20) == 0
        wait_until(lambda: not Path(f"/proc/{kernel}").exists(), 5)
        assert dashboard.log.read_text() == ""


def test_the_notebook_is_found_and_is_one_call_without_outputs():
    notebook = json.loads(notebook_path().read_text(encoding="utf-8"))
    (cell,) = notebook["cells"]
    assert cell["cell_type"] == "code"
    assert cell["outputs"] == []
    assert cell["execution_count"] is None
    assert "".join(cell["source"]) == "from widgets import top_pair_page\n\ntop_pair_page()"
    assert notebook["metadata"]["title"] == "hlpairs – top pair"


def test_a_missing_notebook_says_where_it_was_looked_for():
    with pytest.raises(EngineError, match=r"the notebook none\.ipynb is missing: neither at .* nor at "):
        notebook_path("none.ipynb")
