# SPDX-License-Identifier: MIT
"""Letterbox behind TLS, as tls.conf has it, with a certificate made here."""

import json
import ssl
import subprocess

import pytest

from expect import data, is_error
from ports import spare_port
from stack import Stack
from waits import eventually
from web import Connection, target

NAME = "letterbox.example"


class TlsConnection(Connection):
    def __init__(self, port, context):
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname=NAME)


def trusting(certificate, **versions):
    context = ssl.create_default_context(cafile=certificate)
    for name, version in versions.items():
        setattr(context, name, version)
    return context


@pytest.fixture(scope="module")
def tls_stack():
    """A stack that has the server of tls.conf in addition to the one for development; .tls_port, .certificate."""
    stack = Stack(shared=True).start()
    folder = stack.dir / "tls"
    folder.mkdir()
    stack.certificate = folder / "fullchain.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}",
                    "-days", "2", "-keyout", folder / "privkey.pem", "-out", stack.certificate], check=True, capture_output=True)
    stack.tls_port = spare_port()
    stack.change_nginx("tls.conf", r"listen 443 ", f"listen 127.0.0.1:{stack.tls_port} ")
    stack.change_nginx("tls.conf", r"(?m)^    listen \[::\]:443 .*$", "")
    stack.change_nginx("tls.conf", r"/etc/nginx/letterbox-tls/fullchain\.pem", str(stack.certificate))
    stack.change_nginx("tls.conf", r"/etc/nginx/letterbox-tls/privkey\.pem", str(folder / "privkey.pem"))
    stack.change_nginx("tls.conf", r"/var/log/nginx/letterbox\.log", "log/access.log")
    stack.change_nginx("nginx.conf", r"(?m)^    include letterbox-upstream\.conf;$", "    include letterbox-upstream.conf;\n    include tls.conf;")
    stack.reload_nginx()
    yield stack
    stack.stop()


@pytest.fixture
def connect(tls_stack):
    return lambda **versions: TlsConnection(tls_stack.tls_port, trusting(tls_stack.certificate, **versions))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_poll(tls_stack, connect, user, version):
    """a poll waits behind TLS as it does without, and is answered on the same connection"""
    with connect(minimum_version=version, maximum_version=version) as connection:
        connection.request("GET", target("/poll", user=user, after=0, timeout=40))
        tls_stack.has_polls(user, 1)
        tls_stack.pushed(user, "hello")
        answer = connection.receive()
        assert data(answer.json) == ["hello"]
        assert answer.header("Strict-Transport-Security") == "max-age=63072000"
        assert connection.exchange("GET", target("/poll", user=user, after=answer.json["cursor"], timeout=0)).json["count"] == 0
        assert connection.socket.version() == f"TLSv1.{2 if version == ssl.TLSVersion.TLSv1_2 else 3}"


def test_large_answer(tls_stack, connect, user):
    """an answer of a mebibyte comes whole"""
    texts = [f"{number}" * 250_000 for number in range(4)]
    for text in texts:
        tls_stack.pushed(user, text)
    with connect() as connection:
        assert data(connection.exchange("GET", target("/poll", user=user, after=0)).json) == texts


@pytest.mark.parametrize("where", ["/push?to=alice", "/mailbox?user=alice", "/users", "/metrics", "/metrics/poll", "/healthz"])
def test_no_private_face(connect, where):
    """routes for back ends are not on the server that faces the world"""
    with connect() as connection:
        assert is_error(connection.exchange("GET", where), 404, "unknown_route")


def test_push(tls_stack, connect, user):
    """a back end on another host can push over TLS, with a line that tls.conf has ready for it"""
    tls_stack.change_nginx("tls.conf", r"#include letterbox-private\.conf;", "include letterbox-private.conf;")
    tls_stack.reload_nginx()
    with connect() as connection:
        assert connection.exchange("POST", target("/push", to=user), body=b"hello").status == 202
    tls_stack.change_nginx("tls.conf", r"    include letterbox-private\.conf;", "    #include letterbox-private.conf;")
    tls_stack.reload_nginx()


def test_http2(tls_stack, user):
    """many polls wait over one connection by HTTP/2"""
    names = [f"{user}.{i}" for i in range(20)]
    urls = [f"https://{NAME}:{tls_stack.tls_port}{target('/poll', user=name, after=0, timeout=40)}" for name in names]
    curl = subprocess.Popen(["curl", "--silent", "--show-error", "--http2", "--parallel", "--parallel-max", "50", "--cacert", tls_stack.certificate, "--noproxy", "*",
                             "--resolve", f"{NAME}:{tls_stack.tls_port}:127.0.0.1", "--write-out", "\n%{http_version} %{num_connects}\n", *urls],
                            stdout=subprocess.PIPE, text=True)
    for name in names:
        tls_stack.has_polls(name, 1)
    for name in names:
        tls_stack.pushed(name, name)
    lines = curl.communicate(timeout=30)[0].split("\n")
    documents = [json.loads(line) for line in lines if line.startswith("{")]
    assert sorted(name for document in documents for name in data(document)) == sorted(names)
    sorts = [line for line in lines if line.startswith("2 ")]
    assert len(sorts) == len(names) and sum(int(line.split()[1]) for line in sorts) < len(names), lines


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions(tls_stack, version):
    """TLS 1.0 and 1.1 are refused"""
    context = trusting(tls_stack.certificate, minimum_version=version, maximum_version=version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        TlsConnection(tls_stack.tls_port, context)


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA256"])
def test_weak_ciphers(tls_stack, ciphers):
    """ciphers without forward secrecy, or without AEAD, are refused"""
    context = trusting(tls_stack.certificate, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        TlsConnection(tls_stack.tls_port, context)


def test_in_the_clear(tls_stack):
    """a request in the clear reaches no route of Letterbox"""
    with Connection(tls_stack.tls_port) as connection:
        assert is_error(connection.exchange("GET", "/poll?user=alice&timeout=0"), 400, "bad_http")


def test_elsewhere(connect):
    """there is nothing else on that server"""
    with connect() as connection:
        assert is_error(connection.exchange("GET", "/"), 404, "unknown_route")


def test_log(tls_stack, connect):
    """its log has each request, and nothing of a query"""
    with connect() as connection:
        assert is_error(connection.exchange("GET", "/poll?timeout=0&token=s3cret-in-query"), 401, "bad_token")
    log = tls_stack.dir / "log/access.log"
    eventually(lambda: '"GET /poll" 401' in log.read_text(), "the request is in the log")
    assert "s3cret" not in log.read_text()
