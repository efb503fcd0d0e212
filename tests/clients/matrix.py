"""Real clients against a running vstreamd: prints which of them does what. Run it by scripts/clients.

Usage: matrix.py VSTREAMD INSTALLED [CLIENT]... (INSTALLED: where scripts/clients put the drivers)

Each client program prints one line per cell, `CELL PASS` or `CELL FAIL detail`. A cell is n.a. only
where LIMITS says why. The exit code is 1 if a cell failed.
"""

import concurrent.futures
import os
import queue
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("VSTREAMD_CACHE") or os.path.expanduser("~/.cache/vstreamd")
HOST = "127.0.0.1"
PASSWORD = 'it\'s a "secret"'
CELL_SECONDS_MAX = 20
# A debug build needs seconds for a statement of 16 MiB, and the cell has eight.
EDGES_SECONDS_MAX = 60
START_SECONDS_MAX = 60
# Two cores is what a small machine has; more at a time only makes each of them slower.
CLIENTS_AT_A_TIME = 2

CELLS = {
    "tls": "login by caching_sha2_password, in full over TLS (the server demands TLS)",
    "rsa": "the same in the clear, encrypted with the server's RSA key",
    "cached": "the second such login, in the clear and without the key",
    "native": "login by mysql_native_password",
    "plain": "no TLS, no password",
    "text": "endless stream in the text protocol: rows arrive while it is open; the client leaves",
    "binary": "endless stream of a server-prepared statement",
    "limit": "a stream with LIMIT ends and the session goes on",
    "edges": "statements and rows of 2^24-2 to 2^24+1 bytes",
    "cursor": "server-side cursors: a table in pieces, and an endless stream",
    "params": "prepared parameters of all kinds, written and read",
    "reset": "COM_RESET_CONNECTION forgets what the session set",
    "user": "COM_CHANGE_USER",
    "kill": "KILL QUERY by a second connection: 1317, and the session goes on",
    "cancel": "the client's own way to cancel a statement",
}

NO_PREPARED = "the client does not prepare statements on the server"
NO_CURSOR = "the client never asks for a server-side cursor"
NO_RESET = "the client has no command that resets the session"
NO_CHANGE_USER = "the client has no command that changes the user"
NO_CANCEL = "the client has no way to cancel but KILL or leaving"

# What a client does not do with any server.
LIMITS = {
    "mysql": {
        "native": "MySQL 9 removed mysql_native_password from its client",
        "binary": NO_PREPARED,
        "cursor": NO_CURSOR,
        "params": NO_PREPARED,
        "user": NO_CHANGE_USER,
    },
    "mariadb": {
        "binary": NO_PREPARED,
        "cursor": NO_CURSOR,
        "params": NO_PREPARED,
        "reset": NO_RESET,
        "user": NO_CHANGE_USER,
    },
    "pymysql": {
        "binary": NO_PREPARED,
        "cursor": NO_CURSOR,
        "params": "the client writes parameters into the statement's text",
        "reset": NO_RESET,
        "user": NO_CHANGE_USER,
        "cancel": NO_CANCEL,
    },
    "connector_python": {
        "rsa": "the pure implementation sends the password in the clear instead of asking for the key",
        "cursor": NO_CURSOR,
        "cancel": NO_CANCEL,
    },
    "go": {
        "cursor": NO_CURSOR,
        "reset": NO_RESET,
        "user": NO_CHANGE_USER,
    },
    "mysql2": {
        "cursor": NO_CURSOR,
    },
    "connector_j": {},
    "mariadb_j": {
        "cursor": NO_CURSOR,
        "reset": "the driver resets sessions of MariaDB 10.2.22 and later only",
        "user": NO_CHANGE_USER,
    },
    "mysql_async": {
        "cursor": NO_CURSOR,
        "cancel": NO_CANCEL,
    },
}

# What a cell leaves out, with any server.
EXCEPTIONS = {
    "connector_j cancel": "of a statement that is read as a whole: once a result streams, cancel() does nothing",
    "connector_python text": "the driver reads ahead: it shows a row once the next one is there",
    "mysql2 edges": "no statement of 2^24-5 to 2^24-2 bytes: the driver sends an empty packet behind it, which "
    "MariaDB refuses as well (1156)",
}


def programs(installed):
    """How each client's program is called, and with what in its environment."""
    python = os.path.join(installed, "python", "bin", "python")
    jars = os.path.join(installed, "java", "*")

    def here(*path):
        return os.path.join(HERE, *path)

    def cli(name):
        return [sys.executable, here("python", "cli_cells.py")], {
            "VSTREAMD_CLIENTS_CLI": os.path.join(CACHE, "bin", name)
        }

    def java(url):
        # The source is compiled at the start; what compiles longest is not worth compiling twice.
        options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g", "-cp", jars]
        return ["java", *options, here("java", "Cells.java"), url], {}

    return {
        "mysql": cli("mysql"),
        "mariadb": cli("mariadb"),
        "pymysql": ([python, here("python", "pymysql_cells.py")], {}),
        "connector_python": ([python, here("python", "connector_cells.py")], {}),
        "go": ([os.path.join(installed, "go", "cells")], {}),
        "mysql2": (
            ["node", here("node", "cells.js")],
            {"NODE_PATH": os.path.join(installed, "node", "node_modules")},
        ),
        "connector_j": java("jdbc:mysql"),
        "mariadb_j": java("jdbc:mariadb"),
        "mysql_async": ([os.environ["VSTREAMD_CLIENTS_RUST"]], {}),
    }


class Server:
    """A vstreamd on a free port with a store of its own. It ends with the block."""

    def __init__(self, vstreamd, directory, name, configuration):
        self.directory = os.path.join(directory, name)
        os.mkdir(self.directory)
        file = os.path.join(self.directory, "vstreamd.toml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(configuration)
        self.command = [
            vstreamd,
            "serve",
            "--config",
            file,
            "--data-dir",
            os.path.join(self.directory, "data"),
        ]
        self.command += [f"--mysql-listen={HOST}:0", "--log-level=warn"]

    def __enter__(self):
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log, text=True)
        ready = self.process.stdout.readline()
        if not ready.startswith("ready mysql="):
            self.process.wait()
            raise SystemExit(f"vstreamd did not start:\n{self.log()}")
        self.port = ready.rpartition(":")[2].strip()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log(self):
        with open(os.path.join(self.directory, "log"), encoding="utf-8") as log:
            return log.read()


def users(vstreamd, names):
    """The configuration of one user per client and login, with the verifiers that `vstreamd user` makes.

    A verifier names no user, so one will do for all of them; what the server caches is by user.
    """
    command = [vstreamd, "user", "--native", "NAME"]
    made = subprocess.run(command, input=PASSWORD, check=True, capture_output=True, text=True).stdout
    sha2 = "\n".join(line for line in made.splitlines() if not line.startswith("native"))
    native = "\n".join(line for line in made.splitlines() if not line.startswith("caching_sha2"))
    parts = []
    for name in names:
        parts += [sha2.replace("NAME", f"{name}_{cell}") for cell in ("tls", "rsa", "cached", "user")]
        parts.append(native.replace("NAME", f"{name}_native"))
    return "\n".join(parts) + "\n"


def forward(output, lines):
    """Puts each line of a program in the queue, and None behind the last."""
    for line in output:
        lines.put(line)
    lines.put(None)


def run(name, program, ports, asked):
    """Runs a client's cells, and starts its program again behind a cell that hangs."""
    command, environment = program
    environment = {**os.environ, **environment, "VSTREAMD_CLIENTS_PASSWORD": PASSWORD}
    results, todo = {}, list(asked)
    while todo:
        arguments = [*command, HOST, *ports, name, *todo]
        try:
            process = subprocess.Popen(
                arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except OSError as error:
            return {cell: f"FAIL the program does not start: {error}" for cell in asked}
        lines, said = queue.Queue(), []
        readers = [
            threading.Thread(target=forward, args=(process.stdout, lines)),
            threading.Thread(target=said.extend, args=(process.stderr,)),
        ]
        for reader in readers:
            reader.start()
        line, started = "", False
        while todo and line is not None:
            patience = EDGES_SECONDS_MAX if todo[0] == "edges" else CELL_SECONDS_MAX
            patience = patience if started else START_SECONDS_MAX
            try:
                line = lines.get(timeout=patience)
            except queue.Empty:
                results[todo.pop(0)] = f"FAIL nothing for {patience} s"
                break
            started = True
            cell, _, result = (line or "").strip().partition(" ")
            if cell in todo:
                todo.remove(cell)
                results[cell] = result
        process.kill()
        process.wait()
        for reader in readers:
            reader.join()
        if line is None and todo:
            results[todo.pop(0)] = f"FAIL the program ended: {' '.join(said)[-300:]}"
    return results


def main():
    vstreamd, installed, *names = sys.argv[1:]
    known = programs(installed)
    names = names or list(known)
    with tempfile.TemporaryDirectory(prefix="vstreamd-clients-") as directory:
        accounts = users(vstreamd, names)
        # The edges write rows of 16 MiB; nobody reads their history.
        anybody = Server(vstreamd, directory, "anybody", "[limits]\njournal_bytes_max = 67108864\n")
        some = Server(vstreamd, directory, "users", accounts)
        tls = Server(vstreamd, directory, "tls", "[tls]\nrequired = true\n" + accounts)
        with anybody, some, tls, concurrent.futures.ThreadPoolExecutor(CLIENTS_AT_A_TIME) as pool:
            ports = [anybody.port, some.port, tls.port]
            asked = {name: [cell for cell in CELLS if cell not in LIMITS[name]] for name in names}
            runs = {name: pool.submit(run, name, known[name], ports, asked[name]) for name in names}
            results = {name: one.result() for name, one in runs.items()}
            logs = "".join(server.log() for server in (anybody, some, tls))
    show(results)
    failures = [
        f"{name} {cell}: {result}"
        for name, cells in results.items()
        for cell, result in cells.items()
        if result != "PASS"
    ]
    for line in failures:
        print(line)
    if logs:
        print(f"vstreamd's log:\n{logs}")
    passed = sum(map(len, results.values())) - len(failures)
    print(f"clients: {passed} passed, {len(failures)} failed")
    sys.exit(1 if failures or logs else 0)


def show(results):
    """The matrix, what its columns mean, and the reasons of what is not applicable."""
    width = max(map(len, results)) + 1
    print(" " * width + "".join(f"{cell:9}" for cell in CELLS))
    for name, cells in results.items():
        row = ["n.a." if cell in LIMITS[name] else cells[cell].split()[0] for cell in CELLS]
        print(f"{name:{width}}" + "".join(f"{result:9}" for result in row))
    print()
    for cell, meaning in CELLS.items():
        print(f"{cell:9}{meaning}")
    print()
    for name in results:
        for cell, reason in LIMITS[name].items():
            print(f"n.a. {name} {cell}: {reason}")
    for place, reason in EXCEPTIONS.items():
        print(f"PASS {place}: {reason}")
    print()


main()
