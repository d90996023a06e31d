"""How often one caller may ask: by key, or else by address; told before it is too late, and refused with 429."""

import shutil
import socket
import subprocess
import sys
import threading

import pytest

from server.config import hash_of
from server.errors import ConfigError
from tests.conftest import ROOT, ROW
from tests.ports import free_port
from tests.waiting import until
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow
ENTRY = {"numbers": {"pattern": "/numbers", "handler": "MLHandler"}}
URL = "/numbers?_params"


@pytest.fixture
def rated(make_client):
    return lambda rate="3/minute", **server: make_client(
        ENTRY, wait=False, **{"limits": {"rate": rate} | server.pop("limits", {})} | server
    )


def key(name, **others):
    return {"name": name, "hash": hash_of(name), "scopes": ["read", "predict"]} | others


def asked(client, times, url=URL, **headers):
    return [client.get(url, headers=headers).status_code for _ in range(times)]


def test_the_fourth_of_three_requests_a_minute_is_429_and_says_when_to_ask_again(rated):
    client = rated()
    answers = [client.get(URL) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"3"}
    assert all(1 <= int(answer.headers["RateLimit-Reset"]) <= 61 for answer in answers)
    assert ["Retry-After" in answer.headers for answer in answers] == [False, False, False, True]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    document = assert_problem(answers[-1], 429, "3 per 1 minute", "server.limits.rate", "address 127.0.0.1")
    assert (document["title"], document["status"]) == ("Too many requests", 429)


def test_all_that_a_caller_asks_for_counts_together_but_for_health(rated):
    client = rated()
    assert client.get(URL).status_code == 200
    assert client.post("/numbers", json=ROW).status_code == 404
    assert client.get("/runs").status_code == 200
    assert client.put("/numbers?class=PCA").status_code == 429
    assert asked(client, 5, "/healthz") == [200] * 5
    assert asked(client, 2, "/readyz") == [200] * 2
    # The endpoint has no model, which these tell.
    for path, status in (("/ping", 503), ("/health", 503), ("/v2/health/live", 200), ("/v2/health/ready", 200)):
        assert asked(client, 2, path) == [status] * 2


def test_addresses_share_nothing(rated):
    client = rated("1/minute")
    for address in ("10.0.0.1", "10.0.0.2", "::1"):
        statuses = [client.get(URL, environ_base={"REMOTE_ADDR": address}).status_code for _ in range(2)]
        assert statuses == [200, 429]


def test_each_key_has_its_rate_wherever_it_is_sent_from_and_who_has_none_is_counted_too(rated):
    client = rated("2/minute", keys=[key("app"), key("batch", rate="4/minute"), key("slow", rate="1/hour; 5/day")])
    for name, count in (("app", 2), ("batch", 4), ("slow", 1)):
        assert asked(client, count, **{"X-API-Key": name}) == [200] * count
        answer = client.get(URL, headers={"Authorization": f"Bearer {name}"}, environ_base={"REMOTE_ADDR": "10.9.9.9"})
        assert_problem(
            answer, 429, f"the key {name!r}", "server.limits.rate" if name == "app" else "the rate of the key"
        )
    # Guessing keys is counted by the address.
    assert [client.get(URL, headers={"X-API-Key": f"guess{n}"}).status_code for n in range(3)] == [401, 401, 429]


def test_guessing_keys_is_counted_where_there_is_nothing_too(rated):
    client = rated("2/minute", keys=[key("app", rate="5/minute")])
    asks = [
        lambda headers: client.get("/nothing", headers=headers),
        lambda headers: client.delete("/healthz", headers=headers),
    ]
    for number, ask in enumerate(asks):
        assert ask({"X-API-Key": "app"}).status_code == (404, 405)[number]
        answer = ask({"X-API-Key": f"guess{number}"})
        assert (answer.status_code, answer.headers["RateLimit-Remaining"]) == (401, str(1 - number))
    for ask in asks:
        assert_problem(ask({"X-API-Key": "guess2"}), 429, "address 127.0.0.1")
        assert ask({"X-API-Key": "app"}).headers["RateLimit-Limit"] == "5"


@pytest.mark.parametrize(
    ("rates", "count", "reached"), [("9/minute; 3/hour", 3, "3 per 1 hour"), ("2/minute; 3/hour", 2, "2 per 1 minute")]
)
def test_several_rates_hold_at_once(rated, rates, count, reached):
    client = rated(rates)
    assert asked(client, count) == [200] * count
    assert_problem(client.get(URL), 429, reached, "server.limits.rate")


@pytest.mark.parametrize("rate", ["100", "100/fortnight", "0/minute", "-1/minute", "many/minute", "1/minute; x", ""])
def test_what_is_no_rate_stops_the_start(make_config, rate):
    with pytest.raises(ConfigError, match=r"server\.limits\.rate: .*100/minute"):
        make_config({"url": ENTRY, "server": {"limits": {"rate": rate}}})


def test_a_rate_of_a_key_needs_one_for_all(make_client):
    with pytest.raises(ConfigError, match=r"server\.limits\.rate: the key 'app'"):
        make_client(ENTRY, wait=False, keys=[key("app", rate="1/minute")])


def test_in_memory_each_worker_counts_by_itself(rated):
    for worker in [rated(limits={"rate_storage": "memory://"}) for _ in range(2)]:
        assert asked(worker, 4) == [200, 200, 200, 429]


def test_while_redis_is_away_each_worker_counts_by_itself(rated):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for worker in [rated(limits={"rate_storage": f"redis://:secret@127.0.0.1:{port}"}) for _ in range(2)]:
            assert asked(worker, 4) == [200, 200, 200, 429]


@pytest.fixture
def redis(tmp_path):
    """Start and stop a Redis of our own; yields its port and two functions."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    running: list[subprocess.Popen[bytes]] = []

    def start():
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--requirepass", "secret", "--save", ""]
        running.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL))
        until(lambda: answers(port))

    def stop():
        running[-1].terminate()
        running[-1].wait(30)

    start()
    yield port, start, stop
    for process in running:
        process.terminate()
        process.wait(30)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_servers_count_together_in_redis_and_each_by_itself_while_it_is_away(rated, redis):
    port, start, stop = redis
    limits = {"rate_storage": f"redis://:secret@127.0.0.1:{port}"}
    one, other = (rated("3/hour", limits=limits) for _ in range(2))
    assert asked(one, 2) == [200, 200]
    assert asked(other, 2) == [200, 429]
    assert asked(one, 1) == [429]
    stop()
    # What Redis knew is gone; each begins anew.
    assert asked(one, 4) == asked(other, 4) == [200, 200, 200, 429]
    start()
    # Flask-Limiter looks for its storage again after a while, which grows.
    until(lambda: asked(one, 1) == [200])
    until(lambda: asked(other, 1) == [200])
    assert asked(one, 1) == [200]
    assert asked(other, 1) == [429]


def test_no_thread_is_left_for_a_fork(rated):
    before = set(threading.enumerate())
    rated(limits={"rate_storage": "memory://"})
    assert not [thread for thread in set(threading.enumerate()) - before if isinstance(thread, threading.Timer)]


def test_a_server_without_a_rate_does_not_load_what_counts(tmp_path):
    (tmp_path / "config.yaml").write_text("url: {numbers: {pattern: /numbers, handler: MLHandler}}\n")
    script = (
        "import sys; from server.app import create_app; from server.config import load_config; "
        "client = create_app(load_config(sys.argv[1], {})).test_client(); "
        "print(client.get('/numbers?_params').status_code, 'flask_limiter' in sys.modules, 'limits' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "config.yaml")]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.split() == ["200", "False", "False"]
