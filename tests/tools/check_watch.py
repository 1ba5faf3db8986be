#!/usr/bin/env python3
"""Checks `squall watch` in a terminal that is resized, with a pipe that closes, on a running run, and as a server that answers only requests with
its token.

usage: check_watch.py SQUALL SOURCE_FOLDER
"""
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import browser
import made_runs as made

SQUALL, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
PATIENCE = 30  # seconds to wait for an expected event before the test fails


def small(scratch, name, steps=200, searched=True):
    folder = os.path.join(scratch, name)
    os.makedirs(folder)
    made.write(folder, "config.yaml", made.config(os.path.join(SOURCE, "configs/spaces/samples.yaml"), 200))
    made.log(folder, steps, 5)
    if searched:
        made.search(folder, made.candidates(8, 4, 60, population=20), {"macs_m": 400.0})
    return folder


def once(folder):
    return subprocess.run([SQUALL, "watch", folder, "--once"], capture_output=True, text=True)


def shown_once(scratch):
    done = once(small(scratch, "whole"))
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and "200/200" in lines[1] and "60 candidates" in done.stdout and all(len(line) <= 80 for line in lines), done
    assert re.search("loss +[\u2581-\u2588]{40,} +\\d\\.\\d{4}$", lines[2]), lines[2]
    half = once(small(scratch, "half", 100, False)).stdout
    assert "100/200  left" in half and "no search yet" in half, half
    for steps, folder in ((0, "early"), (100, "later")):  # stopped between two log lines: the checkpoint has a later step than the log
        stopped = small(scratch, folder, steps, False)
        os.symlink("ckpt-00000103", os.path.join(stopped, "last"))
        assert "103/200" in once(stopped).stdout, once(stopped).stdout
    torn = small(scratch, "torn", 100, False)
    made.write(torn, "log.jsonl", '{"event":"st', "a")
    assert "the last line is incomplete" in once(torn).stdout
    bad = once(os.path.join(scratch, "absent"))
    assert bad.returncode == 2 and bad.stderr.count("\n") == 1 and "not a run" in bad.stderr, bad


def until(reader, expected):
    """Reads until the text matches `expected`. Returns the text."""
    text, end = "", time.monotonic() + PATIENCE
    while not re.search(expected, text):
        assert time.monotonic() < end, f"{expected!r} was not printed: {text[-500:]!r}"
        if select.select([reader], [], [], 1)[0]:
            text += os.read(reader, 1 << 16).decode(errors="replace")
    return text


def in_terminal(scratch):
    folder = small(scratch, "run", 100, False)
    master, slave = pty.openpty()
    size = lambda rows, columns: fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    size(24, 60)
    process = subprocess.Popen([SQUALL, "watch", folder], stdin=slave, stdout=slave, stderr=slave)
    screen = until(master, "\033\\[J")
    lines = screen.split("\033[H")[-1].replace("\033[K", "").splitlines()
    assert max(len(line.replace("\033[J", "")) for line in lines) == 60, lines
    size(4, 30)
    screen = until(master, "\033\\[H[^\033]*\033\\[K\r\ntrain[^\033]{20,25}\033\\[K(?s:.)*\033\\[J")
    last = screen.split("\033[H")[-1].split("\033[J")[0].replace("\033[K", "").splitlines()
    assert len(last) <= 3 and all(len(line) <= 30 for line in last), last
    size(24, 100)
    made.write(folder, "log.jsonl", '{"event":"step","step":150,"loss":0.125,"top1_acc":0.5,"lr":0.1}\n', "a")
    until(master, "150/200(?s:.)*0\\.1250")
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    os.close(master)
    os.close(slave)


def into_pipe(scratch):
    folder = small(scratch, "run", 100, False)
    process = subprocess.Popen([SQUALL, "watch", folder], stdout=subprocess.PIPE)
    first = process.stdout.readline().decode()
    assert first.startswith("step 100/200  loss ") and "\033" not in first, first
    made.write(folder, "log.jsonl", '{"event":"step","step":105,"loss":1,"top1_acc":0.5,"lr":0.1}\n', "a")
    assert process.stdout.readline().decode().startswith("step 105/200  loss 1.0000  top-1 50.00 %")
    process.stdout.close()
    made.write(folder, "log.jsonl", '{"event":"step","step":110,"loss":1,"top1_acc":0.5,"lr":0.1}\n', "a")
    assert process.wait(PATIENCE) == 0, "a closed pipe is not an error"
    done = subprocess.run([SQUALL, "watch", small(scratch, "ended")], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and done.stdout.count("\n") == 1, done


def ask(port, first_line, host=None, more=""):
    """Sends a request to the server. Returns the status, the head and the body of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as s:
        s.sendall(f"{first_line}\r\n{'' if host is None else f'Host: {host}' + chr(13) + chr(10)}Connection: close\r\n{more}\r\n".encode())
        data = b""
        while chunk := s.recv(1 << 16):
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else 0), head.decode(), body.decode()


def refused(port, token):
    own = f"127.0.0.1:{port}"
    for line in (f"GET /{token}/", f"GET /{token}/data", f"GET //{token}/"):
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil.example", ""):
            assert ask(port, line + " HTTP/1.1", host)[0] in (400, 403), (line, host)
    assert ask(port, f"GET /{token}/ HTTP/1.1")[0] in (400, 403) and ask(port, f"GET /{token}/ HTTP/1.0")[0] in (400, 403)
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
        status, _, body = ask(port, f"{method} /{token}/ HTTP/1.1", own, "Content-Length: 0\r\n")
        assert status == 405 and "<html" not in body, (method, status)
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    for path in ("/", "/data", f"/{wrong}/", f"/{token}", f"/{token}x", f"/{token}/config.yaml", f"/{token}/../", f"/{token}/../../etc/passwd", f"/{token}/%2e%2e/", f"/{token}/data/", "/favicon.ico", f"/{token[:8]}/", f"/?{token}/"):
        assert ask(port, f"GET {path} HTTP/1.1", own)[0] == 404, path
    assert ask(port, "nonsense", own)[0] in (0, 400, 404, 405)
    assert ask(port, f"POST /{token}/ HTTP/1.1", own, "Content-Length: 5\r\n\r\nhello")[0] == 405


def served(scratch):
    folder = small(scratch, "run <script>", 100)
    before = {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in os.listdir(folder)}
    process = subprocess.Popen([SQUALL, "watch", folder, "--serve"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        if "libmicrohttpd" in line:
            print("skipped: the server (built without libmicrohttpd)")
            return
        port, token = re.fullmatch(r"live report: http://127\.0\.0\.1:(\d+)/([0-9a-f]{32})/\n", line).groups()
        port = int(port)
        for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
            status, head, body = ask(port, f"GET /{token}/ HTTP/1.1", host)
            assert status == 200 and "no-store" in head and "nosniff" in head and body.startswith("<!DOCTYPE html>") and "<script>" not in body
        status, head, body = ask(port, f"GET /{token}/data HTTP/1.1", f"127.0.0.1:{port}")
        assert status == 200 and "application/json" in head and '"live":true' in body
        refused(port, token)
        with open("/proc/net/tcp") as file:
            listening = [row.split()[1] for row in file if row.split()[3] == "0A" and int(row.split()[1].split(":")[1], 16) == port]
        assert listening == [f"0100007F:{port:04X}"], listening
        if browser.find():
            live(folder, f"http://127.0.0.1:{port}/{token}/")
        else:
            print("skipped: the live page (no chromium)")
        assert {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in os.listdir(folder) if name != "log.jsonl"} == {k: v for k, v in before.items() if k != "log.jsonl"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def live(folder, address):
    page = browser.Page()
    try:
        page.open(address)
        assert page.run("document.querySelector('#summary .big') !== null && last(report.runs[0].training.step)") == 100
        made.write(folder, "log.jsonl", '{"event":"step","step":150,"loss":0.125,"top1_acc":0.5,"lr":0.1}\n', "a")
        end = time.monotonic() + PATIENCE
        while page.run("last(report.runs[0].training.step)") != 150:
            assert time.monotonic() < end, "the page does not follow"
            time.sleep(0.3)
        assert "150 of 200 steps" in page.run("document.body.innerText") and page.problems == [], page.problems
        assert all(requested.startswith((address, "data:", "about:")) for requested in page.requests), page.requests
    finally:
        page.close()


def main():
    for part in (shown_once, in_terminal, into_pipe, served):
        with tempfile.TemporaryDirectory() as scratch:
            part(scratch)
            print("passed:", part.__name__)


main()
