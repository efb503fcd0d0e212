"""The cells of PyMySQL."""

import pymysql
from cells import (
    HOST,
    NAME,
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
from pymysql.cursors import SSCursor

TLS = {"check_hostname": False}


def connect(port=PORT, user="ann", password="", tls=False):
    security = {"ssl": TLS} if tls else {"ssl_disabled": True}
    return pymysql.connect(
        host=HOST, port=port, user=user, password=password, database="commerce", autocommit=True, **security
    )


def query(connection, text):
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def login(port, user, tls):
    connection = connect(port, user, PASSWORD, tls)
    same(query(connection, "SELECT USER()"), ((f"{user}@{HOST}",),))
    connection.close()


def cached():
    login(USERS_PORT, f"{NAME}_cached", True)
    login(USERS_PORT, f"{NAME}_cached", False)


def stream(table):
    """An open stream that has shown the row of the copy and one that was written later."""
    writer = connect()
    query(writer, f"CREATE TABLE {table} (id INT PRIMARY KEY, v TEXT)")
    query(writer, f"INSERT INTO {table} VALUES (1, 'a')")
    reader = connect()
    query(reader, "SET workload = OLAP")
    cursor = SSCursor(reader)
    cursor.execute(f"VSTREAM * FROM {table}")
    same(cursor.fetchone(), ("+", 1, "a"))
    query(writer, f"INSERT INTO {table} VALUES (2, 'b')")
    same(cursor.fetchone(), ("+", 2, "b"))
    return writer, reader, cursor


def text():
    writer, reader, _ = stream(f"text_{NAME}")
    number = reader.thread_id()
    # SSCursor.close() would read the stream to its end; the connection's own close drops it.
    reader._force_close()
    wait_for_departure(writer, query, number)


def kill():
    writer, reader, cursor = stream(f"kill_{NAME}")
    query(writer, f"KILL QUERY {reader.thread_id()}")
    try:
        same(cursor.fetchone(), "error 1317")
    except pymysql.err.OperationalError as error:
        same(error.args[0], 1317)
    same(query(reader, "SELECT 42"), ((42,),))


def large_edges():
    connection = connect()
    connection.max_allowed_packet = 2**25
    edges(connection, query)


main(
    {
        "tls": lambda: login(TLS_PORT, f"{NAME}_tls", True),
        "rsa": lambda: login(USERS_PORT, f"{NAME}_rsa", False),
        "cached": cached,
        "native": lambda: login(USERS_PORT, f"{NAME}_native", False),
        "plain": lambda: same(query(connect(), "SELECT USER()"), ((f"ann@{HOST}",),)),
        "text": text,
        "limit": lambda: limit(connect(), query),
        "edges": large_edges,
        "kill": kill,
    }
)
