"""Who may do what, and where a service may listen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from stillwatch.errors import UsageError
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.service import keys
from stillwatch.service.keys import Role
from stillwatch.service.pressure import Bytes, Rate
from stillwatch.service.problems import ProblemError
from stillwatch.service.server import Address
from tests.service.orders import blocked
from tests.service.serving import LINES, Service, event, lines, serving


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path, dict[Role, str]]]:
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "keys.json"
    made = {role: keys.add(file, (role,), f"{role}'s")[1] for role in Role}
    words = ["--keys", str(file), "--key-file", str(folder / "pseudonym.key")]
    with serving(folder, *words, limits="look_seconds = 3600.0\nrequests_per_second = 1.0\nburst = 60\n") as service:
        yield service, file, made


def as_(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def test_each_role_opens_what_it_should(guarded: tuple[Service, Path, dict[Role, str]]) -> None:
    service, _, made = guarded
    for role, key in made.items():
        sent = service.client.post("/v1/events", content=lines([event(1)]), headers={"content-type": LINES, **as_(key)})
        assert sent.status_code == (200 if role is Role.INGEST else 403)
        for path in ("/v1/decisions/a", "/v1/decisions", "/v1/status", "/metrics", "/v1/ext_authz/x"):
            read = service.client.get(path, headers=as_(key)).status_code
            assert read == (403 if role is Role.INGEST else 200), (role, path)
    assert service.client.get("/v1/status", headers={"x-stillwatch-key": made[Role.VIEWER]}).status_code == 200


def test_without_a_key_little_is_open(guarded: tuple[Service, Path, dict[Role, str]]) -> None:
    service, _, _ = guarded
    for path in ("/v1/decisions/a", "/v1/status", "/metrics", "/v1/ext_authz/x"):
        answer = service.client.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert service.client.get("/healthz").status_code == 200
    assert service.client.get("/openapi.json").status_code == 200


def test_a_revoked_key_is_refused_within_a_second_or_two(guarded: tuple[Service, Path, dict[Role, str]]) -> None:
    service, file, _ = guarded
    entry, key = keys.add(file, (Role.VIEWER,), "short")
    end = time.monotonic() + 20
    while service.client.get("/v1/status", headers=as_(key)).status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.2)
    keys.revoke(file, entry.id)
    while service.client.get("/v1/status", headers=as_(key)).status_code != 401:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_who_asks_too_often_or_guesses_is_slowed_down(guarded: tuple[Service, Path, dict[Role, str]]) -> None:
    service, file, _ = guarded
    key = keys.add(file, (Role.VIEWER,), "fast")[1]
    time.sleep(1.5)
    codes: list[int] = []
    while not codes or codes[-1] == 200:
        answer = service.client.get("/v1/decisions/a", headers=as_(key))
        codes.append(answer.status_code)
        assert len(codes) < 1000
    assert codes[-1] == 429
    assert len(codes) > 50
    assert int(answer.headers["retry-after"]) >= 1
    guesses = [service.client.get("/v1/status", headers=as_(f"sw_{n:012x}_" + "x" * 43)) for n in range(40)]
    assert {answer.status_code for answer in guesses} == {401, 429}


def test_a_pseudonym_is_what_the_disk_knows(guarded: tuple[Service, Path, dict[Role, str]]) -> None:
    service, _, made = guarded
    secret = "someone-we-know-4711"
    sent = service.client.post(
        "/v1/events",
        content=lines([event(9, account_id=secret)]),
        headers={"content-type": LINES, **as_(made[Role.INGEST])},
    )
    assert sent.status_code == 200
    for path in service.folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


# --- where it listens -----------------------------------------------------------------------------------------------


def test_others_are_kept_out_unless_they_are_asked_for(tmp_path: Path) -> None:
    pem = tmp_path / "x.pem"
    pem.write_text("x")
    for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
        Address(host).check(keys=False)
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", ""):
        with pytest.raises(UsageError, match="--keys"):
            Address(host).check(keys=False)
        with pytest.raises(UsageError, match="--tls-certificate"):
            Address(host).check(keys=True)
        Address(host, certificate=pem, private_key=pem).check(keys=True)
        Address(host, behind_proxy=True).check(keys=True)
        with pytest.raises(UsageError, match="--keys"):
            Address(host, behind_proxy=True).check(keys=False)
    with pytest.raises(UsageError, match="TLS takes both"):
        Address(certificate=pem).check(keys=True)
    with pytest.raises(UsageError, match="no such file"):
        Address(certificate=tmp_path / "none", private_key=pem).check(keys=True)


def test_tls_is_spoken_where_a_certificate_is_given(tmp_path: Path) -> None:
    import ssl
    import subprocess

    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    words = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with serving(tmp_path, *words) as service:
        assert service.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(certificate))
        assert httpx.get(f"{service.url}/healthz", verify=trusted, timeout=30).json() == {"ok": True}


# --- pressure -------------------------------------------------------------------------------------------------------


def test_a_bucket_lets_through_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    rate, taken = Rate(10.0, 5), 0
    waits: list[tuple[int, float]] = []
    for step in range(1000):
        clock[0] = step / 100
        try:
            rate.take("a")
            taken += 1
        except ProblemError as problem:
            waits.append((problem.status, problem.retry_after or 0.0))
    assert {status for status, _ in waits} == {429}
    assert 0 < min(wait for _, wait in waits) <= max(wait for _, wait in waits) <= 0.1
    assert taken == pytest.approx(5 + 10 * 9.99, abs=1)
    rate.take("b")  # another's bucket is another's


def test_bytes_are_held_and_let_go() -> None:
    room = Bytes(100)
    with room.hold(60):
        with pytest.raises(ProblemError), room.hold(50):
            raise AssertionError
        with room.hold(40):
            assert room.now == 100
    assert room.now == 0
    with room.hold(1000):  # one that is too large for the queue is not too large for ever
        assert room.now == 1000


def test_a_copy_without_the_pseudonym_key_waits_for_changes_by_name(tmp_path: Path) -> None:
    key = tmp_path / "pseudonym.key"
    limits = "look_seconds = 3600.0\npoll_seconds = 240.0\n"
    with serving(tmp_path, "--key-file", str(key), limits=limits) as service, ThreadPoolExecutor(1) as pool:
        mine = Pseudonyms.from_file(key).one("account_id", "mine")
        asked = {"accounts": ["mine", "other"], "wait": 240}
        start = service.client.post("/v1/decisions", json=asked).json()
        assert [row["would"] for row in start["decisions"]] == ["allow", "allow"]

        def followed() -> list[tuple[str, str | None]]:
            """What a copy hears until the account is blocked."""
            heard, after = [("mine", "allow")], start["number"]
            while heard[-1] != ("mine", "block"):
                told = httpx.post(f"{service.url}/v1/decisions", json={**asked, "after": after}, timeout=300).json()
                assert (told["whole"], len(told["decisions"])) == (False, 1)
                heard.append((told["decisions"][0]["account"], told["decisions"][0]["would"]))
                after = told["number"]
            return heard

        following = pool.submit(followed)
        blocked(tmp_path / "state.live" / "casebook", mine)
        assert {account for account, _ in following.result()} == {"mine"}
        # the form that names all that changed has pseudonyms alone
        (row,) = service.client.get("/v1/decisions", params={"after": start["number"]}).json()["decisions"]
        assert row["account"] == mine
