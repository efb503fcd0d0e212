"""The cells of the command-line clients mysql and mariadb, on a terminal and in batch mode."""

import os
import pty
import re
import select
import signal
import subprocess
import time

from cells import (
    EDGES,
    HOST,
    NAME,
    PASSWORD,
    PORT,
    SECONDS_MAX,
    TLS_PORT,
    USERS_PORT,
    edge_read,
    edge_write,
    main,
    same,
    wait_until,
)

PROGRAM = os.environ["VSTREAMD_CLIENTS_CLI"]
IS_MYSQL = NAME.startswith("mysql")
TLS = "--ssl-mode=REQUIRED" if IS_MYSQL else "--ssl"
CLEAR = "--ssl-mode=DISABLED" if IS_MYSQL else "--skip-ssl"
# mariadb asks for the server's RSA key unasked.
KEY = ["--get-server-public-key"] if IS_MYSQL else []


def command(port, user, *more):
    return [
        PROGRAM,
        "--no-defaults",
        f"--host={HOST}",
        "--protocol=tcp",
        f"--port={port}",
        f"--user={user}",
        *more,
    ]


def batch(text, *more, port=PORT, user="ann", ends_well=True):
    arguments = command(port, user, "--skip-column-names", "--max-allowed-packet=64M", *more, "commerce")
    environment = {**os.environ, "MYSQL_PWD": PASSWORD} if port != PORT else os.environ
    done = subprocess.run(
        arguments,
        check=False,
        input=text,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    if (done.returncode == 0) != ends_well:
        raise AssertionError(f"exit code {done.returncode}: {done.stderr}")
    return done.stdout if ends_well else done.stderr


def login(port, user, *more):
    same(batch("SELECT USER()", *more, port=port, user=user), f"{user}@{HOST}\n")


def cached():
    if IS_MYSQL:
        # Without the key and with nothing cached the client itself refuses: the proof of the rest.
        complaint = batch("SELECT 1", CLEAR, port=USERS_PORT, user=f"{NAME}_cached", ends_well=False)
        same(re.findall("ERROR ([0-9]+)", complaint), ["2061"])
    login(USERS_PORT, f"{NAME}_cached", TLS)
    login(USERS_PORT, f"{NAME}_cached", CLEAR)


class Session:
    """The client with a terminal of its own."""

    def __init__(self):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            arguments = command(PORT, "ann", CLEAR, "--quick", "--no-auto-rehash", "commerce")
            os.execv(arguments[0], arguments)
        self.shown = ""
        self.shows(">")

    def enter(self, text):
        self.shown = ""
        os.write(self.terminal, text.encode() + b"\n")

    def shows(self, text):
        """Waits for a text, with columns as wide as they may be."""
        end = time.monotonic() + SECONDS_MAX
        while text not in " ".join(self.shown.split()):
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{text!r} did not show up in {self.shown!r}")
            self.shown += os.read(self.terminal, 65536).decode()

    def interrupt(self):
        os.write(self.terminal, b"\x03")

    def goes_on(self):
        self.enter("SELECT 40 + 2;")
        self.shows("| 42 |")


def write(text):
    batch(text, CLEAR)


def stream(table):
    """A session whose stream has shown the row of the copy and one that was written later."""
    write(f"CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO {table} VALUES (1, 'a')")
    session = Session()
    session.enter("SET workload = OLAP;")
    session.shows("Query OK")
    session.enter(f"VSTREAM * FROM {table};")
    session.shows("| + | 1 | a |")
    write(f"INSERT INTO {table} VALUES (2, 'b')")
    session.shows("| + | 2 | b |")
    return session


def number_of(table):
    rows = [line.split("\t") for line in batch("SHOW PROCESSLIST", CLEAR).splitlines()]
    return [row[0] for row in rows if f"VSTREAM * FROM {table}" in row[-1]]


def text():
    table = f"text_{NAME}"
    session = stream(table)
    same(len(number_of(table)), 1)
    os.kill(session.pid, signal.SIGKILL)
    wait_until(lambda: not number_of(table), "the end")


def limit():
    write(f"CREATE TABLE limit_{NAME} (id INT PRIMARY KEY); INSERT INTO limit_{NAME} VALUES (1), (2), (3)")
    shown = batch(f"SET workload = OLAP; VSTREAM * FROM limit_{NAME} LIMIT 2; SELECT 42", CLEAR)
    same(shown, "+\t1\n+\t2\n42\n")


def edges():
    write(f"CREATE TABLE edges_{NAME} (id INT PRIMARY KEY, v LONGTEXT)")
    for number, payload in enumerate(EDGES):
        insert, length = edge_write(number, payload)
        write(insert)
        select, shown = edge_read(number, payload, length)
        value = batch(select, CLEAR)
        same((len(value) - 1, value.count("a")), (shown, length))
    write(f"DROP TABLE edges_{NAME}")


def reset():
    # The client takes commands of its own only when told to.
    mine = ["--commands", "--named-commands"]
    same(batch("SET @kept = 1;\nSELECT @kept;\nresetconnection\nSELECT @kept;\n", CLEAR, *mine), "1\nNULL\n")


def kill():
    table = f"kill_{NAME}"
    session = stream(table)
    write(f"KILL QUERY {number_of(table)[0]}")
    session.shows("ERROR 1317 (70100)")
    session.goes_on()


def cancel():
    session = stream(f"cancel_{NAME}")
    session.interrupt()
    session.shows("ERROR 1317 (70100)")
    session.goes_on()


main(
    {
        "tls": lambda: login(TLS_PORT, f"{NAME}_tls", TLS),
        "rsa": lambda: login(USERS_PORT, f"{NAME}_rsa", CLEAR, *KEY),
        "cached": cached,
        "native": lambda: login(USERS_PORT, f"{NAME}_native", CLEAR),
        "plain": lambda: same(batch("SELECT USER()", CLEAR), f"ann@{HOST}\n"),
        "text": text,
        "limit": limit,
        "edges": edges,
        "reset": reset,
        "kill": kill,
        "cancel": cancel,
    }
)
