"""The cells of mysql-connector-python's pure implementation."""

import mysql.connector
from cells import (
    HOST,
    NAME,
    PARAMS,
    PARAMS_COLUMNS,
    PARAMS_SHOWN,
    PARAMS_TABLE,
    PARAMS_TEXT,
    PASSWORD,
    PORT,
    TLS_PORT,
    USERS_PORT,
    edges,
    limit,
    main,
    same,
    wait_for_departure,
)


def connect(port=PORT, user="ann", password="", tls=False, **more):
    return mysql.connector.connect(
        host=HOST, port=port, user=user, password=password, database="commerce", autocommit=True,
        use_pure=True, ssl_disabled=not tls, ssl_verify_cert=False, **more,
    )  # fmt: skip


def query(connection, text):
    cursor = connection.cursor()
    cursor.execute(text)
    rows = cursor.fetchall() if cursor.description else []
    cursor.close()
    return rows


def login(port, user, tls, **more):
    connection = connect(port, user, PASSWORD, tls, **more)
    same(query(connection, "SELECT USER()"), [(f"{user}@{HOST}",)])
    connection.close()


def cached():
    login(USERS_PORT, f"{NAME}_cached", True)
    login(USERS_PORT, f"{NAME}_cached", False)


def stream(table, prepared):
    """An open stream that has shown the row of the copy and one that was written later."""
    writer = connect()
    query(writer, f"CREATE TABLE {table} (id INT PRIMARY KEY, v TEXT)")
    query(writer, f"INSERT INTO {table} VALUES (1, 'a')")
    reader = connect()
    query(reader, "SET workload = OLAP")
    cursor = reader.cursor(prepared=prepared)
    cursor.execute(f"VSTREAM * FROM {table}")
    # The driver reads one row ahead: it shows a row once it has the next one.
    query(writer, f"INSERT INTO {table} VALUES (2, 'b')")
    same(cursor.fetchone(), ("+", 1, "a"))
    query(writer, f"INSERT INTO {table} VALUES (3, 'c')")
    same(cursor.fetchone(), ("+", 2, "b"))
    return writer, reader, cursor


def endless(table, prepared):
    writer, reader, _ = stream(table, prepared)
    number = reader.connection_id
    reader.close()
    wait_for_departure(writer, query, number)


def params():
    connection = connect()
    query(connection, PARAMS_TABLE)
    cursor = connection.cursor(prepared=True)
    marks = ", ".join(["?"] * len(PARAMS))
    cursor.execute(f"INSERT INTO params_{NAME} (id, {PARAMS_COLUMNS}) VALUES (1, {marks})", PARAMS)
    same(list(query(connection, PARAMS_TEXT)[0]), PARAMS_SHOWN)
    cursor = connection.cursor(prepared=True)
    cursor.execute(f"SELECT {PARAMS_COLUMNS} FROM params_{NAME} WHERE id = ?", (1,))
    same(list(cursor.fetchall()[0]), PARAMS)


def forgets(connection, renew):
    query(connection, "SET @kept = 1")
    renew()
    same(query(connection, "SELECT @kept"), [(None,)])


def reset():
    connection = connect()
    forgets(connection, connection.cmd_reset_connection)


def user():
    connection = connect(USERS_PORT, f"{NAME}_tls", PASSWORD, True)
    forgets(
        connection,
        lambda: connection.cmd_change_user(f"{NAME}_native", PASSWORD, database="commerce"),
    )
    same(query(connection, "SELECT USER()"), [(f"{NAME}_native@{HOST}",)])


def kill():
    writer, reader, cursor = stream(f"kill_{NAME}", False)
    query(writer, f"KILL QUERY {reader.connection_id}")
    try:
        same(cursor.fetchone(), "error 1317")
    except mysql.connector.Error as error:
        same(error.errno, 1317)
    # The driver learns from errors only of a statement's start that no rows are left.
    reader.unread_result = False
    same(query(reader, "SELECT 42"), [(42,)])


main(
    {
        "tls": lambda: login(TLS_PORT, f"{NAME}_tls", True),
        "cached": cached,
        "native": lambda: login(USERS_PORT, f"{NAME}_native", False),
        "plain": lambda: same(query(connect(), "SELECT USER()"), [(f"ann@{HOST}",)]),
        "text": lambda: endless(f"text_{NAME}", False),
        "binary": lambda: endless(f"binary_{NAME}", True),
        "limit": lambda: limit(connect(), query),
        "edges": lambda: edges(connect(), query),
        "params": params,
        "reset": reset,
        "user": user,
        "kill": kill,
    }
)
