"""Tablets that post as fast as they are answered: ``python -m benchmarks.ingest.tablets`` < plan (JSON).

A process of its own, so that its work is not the server's. Each connection has one post under way at a time and is
kept open, as ODK Collect keeps it. The plan: host, port, connections, requests (base64, whole HTTP requests).
Prints seconds, how many were answered with which status, and every post's milliseconds.
"""

import base64
import json
import socket
import sys
import threading
import time
from collections import Counter
from itertools import islice


def post_all(host: str, port: int, connections: int, requests: list[bytes]) -> dict[str, object]:
    """Post every request once over `connections`; returns seconds, statuses and milliseconds."""
    waiting, lock = iter(requests), threading.Lock()
    statuses: Counter[int] = Counter()
    milliseconds: list[float] = []

    def run() -> None:
        with socket.create_connection((host, port)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                with lock:
                    request = next(islice(waiting, 1), None)
                if request is None:
                    return
                start = time.perf_counter()
                line.sendall(request)
                status = _read_answer(line)
                taken = (time.perf_counter() - start) * 1000
                with lock:
                    statuses[status] += 1
                    milliseconds.append(taken)

    threads = [threading.Thread(target=run) for _ in range(connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "statuses": dict(statuses), "milliseconds": milliseconds}


def _read_answer(line: socket.socket) -> int:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(line)
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head[9:12])
    for field in head.split(b"\r\n")[1:]:
        name, _, value = field.partition(b":")
        if name.lower() == b"content-length":
            left = int(value) - len(body)
            while left > 0:
                left -= len(_received(line))
            return status
    raise RuntimeError(f"An answer without its length (status {status}).")


def _received(line: socket.socket) -> bytes:
    data = line.recv(65536)
    if not data:
        raise RuntimeError("The server closed the connection.")
    return data


def main() -> None:
    """Read the plan, post, print what came of it."""
    plan = json.load(sys.stdin)
    requests = [base64.b64decode(text) for text in plan["requests"]]
    json.dump(post_all(plan["host"], plan["port"], plan["connections"], requests), sys.stdout)


if __name__ == "__main__":
    main()
