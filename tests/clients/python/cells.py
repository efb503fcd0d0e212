"""What the Python programs of tests/clients share: arguments, the order of things, one line per cell.

Usage of each program: PROGRAM HOST PORT USERS_PORT TLS_PORT NAME CELL...
PORT takes anybody, USERS_PORT wants a password, TLS_PORT wants a password and TLS. NAME is the
prefix of this client's users and the suffix of its tables.
"""

import datetime
import decimal
import os
import sys
import time

HOST, PORT, USERS_PORT, TLS_PORT, NAME = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
PASSWORD = os.environ["VSTREAMD_CLIENTS_PASSWORD"]
SECONDS_MAX = 15

# A packet holds 2^24 - 1 bytes at most; one that holds as many is followed by another.
EDGES = range(2**24 - 2, 2**24 + 2)

PARAMS_TABLE = f"""CREATE TABLE params_{NAME} (id INT PRIMARY KEY, i BIGINT, u BIGINT UNSIGNED, d DOUBLE,
    n DECIMAL(20,5), s TEXT, b BLOB, x INT, da DATE, dt DATETIME(6), ti TIME(6))"""
PARAMS_COLUMNS = "i, u, d, n, s, b, x, da, dt, ti"
PARAMS_TEXT = f"SELECT i, u, d, n, s, HEX(b), x, da, dt, ti FROM params_{NAME}"
PARAMS = [
    -(2**63),
    2**64 - 1,
    1.5,
    decimal.Decimal("12345.67890"),
    'it\'s "q" \\ é',
    b"\x00\xff'",
    None,
    datetime.date(2026, 11, 22),
    datetime.datetime(2026, 11, 22, 12, 34, 56, 789012),
    datetime.timedelta(hours=12, minutes=34, seconds=56, milliseconds=789),
]
# What the text protocol shows of them.
PARAMS_SHOWN = PARAMS[:5] + ["00FF27"] + PARAMS[6:]


def same(found, expected):
    if found != expected:
        raise AssertionError(f"{str(found)[:200]} instead of {str(expected)[:200]}")


def wait_until(holds, what):
    end = time.monotonic() + SECONDS_MAX
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {SECONDS_MAX} s")
        time.sleep(0.05)


def edge_write(number, payload):
    """An INSERT whose COM_QUERY has exactly `payload` bytes, and how long its value is."""
    head = f"INSERT INTO edges_{NAME} VALUES ({number}, '"
    length = payload - 1 - len(head) - len("')")
    return head + "a" * length + "')", length


def edge_read(number, payload, length):
    """A SELECT whose row has exactly `payload` bytes, and how long the value in it is."""
    shown = payload - 4
    return f"SELECT CONCAT(v, '{'b' * (shown - length)}') FROM edges_{NAME} WHERE id = {number}", shown


def limit(connection, query):
    """A stream with a LIMIT ends, and the session goes on."""
    query(connection, f"CREATE TABLE limit_{NAME} (id INT PRIMARY KEY)")
    query(connection, f"INSERT INTO limit_{NAME} VALUES (1), (2), (3)")
    query(connection, "SET workload = OLAP")
    same(list(query(connection, f"VSTREAM * FROM limit_{NAME} LIMIT 2")), [("+", 1), ("+", 2)])
    same(list(query(connection, "SELECT 42")), [(42,)])


def edges(connection, query):
    """Packets around 2^24 bytes are written and read."""
    query(connection, f"CREATE TABLE edges_{NAME} (id INT PRIMARY KEY, v LONGTEXT)")
    for number, payload in enumerate(EDGES):
        insert, length = edge_write(number, payload)
        query(connection, insert)
        select, shown = edge_read(number, payload, length)
        value = query(connection, select)[0][0]
        same((len(value), value.count("a")), (shown, length))
    query(connection, f"DROP TABLE edges_{NAME}")


def wait_for_departure(connection, query, number):
    """Waits until connection `number` is gone."""
    processes = "SHOW PROCESSLIST"
    wait_until(lambda: number not in [row[0] for row in query(connection, processes)], "the end")


def main(cells):
    for name in sys.argv[6:]:
        try:
            cells[name]()
            print(name, "PASS", flush=True)
        except Exception as error:  # one cell says nothing about the next
            detail = " ".join(f"{type(error).__name__}: {error}".split())
            print(name, "FAIL", detail[:300], flush=True)
    # Not sys.exit: destructors of drivers read an open stream to its end, which never comes.
    os._exit(0)
