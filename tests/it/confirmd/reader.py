"""Reads confirmd.db as a gateway does: another user, another SQLite, read-only.

Gets one JSON array a line, [sql, parameters], and answers one JSON line: {"rows": [...]} or {"error": "..."}.
The word "reopen" instead of an array opens the database anew; "who" asks for the user id.
"""
import json
import os
import sqlite3
import sys

path, uid, gid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def connect():
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10, isolation_level=None)
    database.row_factory = sqlite3.Row
    return database


database = None
for line in sys.stdin:
    try:
        request = json.loads(line)
        if request == "reopen":
            if database:
                database.close()
            database = connect()
            rows = []
        elif request == "who":
            rows = [{"uid": os.getuid()}]
        else:
            database = database or connect()
            rows = [dict(row) for row in database.execute(*request)]
        answer = {"rows": rows}
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        answer = {"error": f"{error} {name}"}
    print(json.dumps(answer), flush=True)
