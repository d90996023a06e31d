"""A database that is down is the trouble of its own endpoint only."""

import time

import pytest
import requests
import sqlalchemy as sa

from tests.conftest import ROW, titanic_endpoint

pytestmark = pytest.mark.live


def test_an_endpoint_whose_database_is_down_does_not_stop_the_others(make_live, postgres, titanic):
    engine = sa.create_engine(postgres.url())
    titanic.to_sql("passengers", engine, index=False, if_exists="replace")
    engine.dispose()
    up, down = postgres.url(), postgres.url().replace(f":{postgres.port}/", ":1/")
    live = make_live(
        {
            "titanic": titanic_endpoint(),
            "up": titanic_endpoint(data={"url": up, "table": "passengers"}) | {"pattern": "/up"},
            "down": titanic_endpoint(data={"url": down, "table": "passengers"}) | {"pattern": "/down"},
        },
        ready=False,
    )
    for name in ("titanic", "up"):
        live.wait(f"/{name}?_model")
        assert requests.get(f"{live.url}/{name}", ROW, timeout=60).json() == [0]
    deadline = time.monotonic() + 120
    # Its first training is begun when the others' are, and may take longer to fail than those take to succeed.
    while "ask again soon" in (answer := requests.get(f"{live.url}/down", ROW, timeout=60)).text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.json()["detail"]
    ready = requests.get(f"{live.url}/readyz", timeout=60).json()["endpoints"]
    assert (ready["titanic"], ready["up"]) == ("ready", "ready")
    assert "cannot be reached" in ready["down"]
    live.config.write_text(live.config.read_text().replace(":1/", f":{postgres.port}/"))
    live.restart()
    assert requests.get(f"{live.url}/down", ROW, timeout=60).json() == [0]
    assert "secret" not in live.log.read_text()
