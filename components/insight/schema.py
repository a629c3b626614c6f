"""The tables, and the statements of a rebuild: a second set of tables is filled, and then replaces the first."""

TABLES = {
    "reservation": "(id INTEGER PRIMARY KEY, car INTEGER NOT NULL, confirmed INTEGER, cancelled INTEGER)",
    "payment": "(id INTEGER PRIMARY KEY, car INTEGER NOT NULL, amount INTEGER NOT NULL,"
    " approved INTEGER, cancelled INTEGER)",
}

# The prefix of the tables of a rebuild.
NEW = "new_"

CREATE = [f"CREATE TABLE IF NOT EXISTS {table} {columns}" for table, columns in TABLES.items()]

# The number of tables that a rebuild fills: none when there is no rebuild.
COUNT_NEW = f"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '{NEW}payment'"

ABORT = [f"DROP TABLE IF EXISTS {NEW}{table}" for table in TABLES]

BEGIN = ABORT + [f"CREATE TABLE {NEW}{table} {columns}" for table, columns in TABLES.items()]

FINISH = [
    statement
    for table in TABLES
    for statement in (f"DROP TABLE {table}", f"ALTER TABLE {NEW}{table} RENAME TO {table}")
]
