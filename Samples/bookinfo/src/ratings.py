"""Ratings of the two reviewers: from memory (v1) or from a MySQL database (SERVICE_VERSION=v2, DB_TYPE=mysql)."""

import os
import sys

from service import Reply, serve

USES_DATABASE = os.environ.get("SERVICE_VERSION") == "v2" and os.environ.get("DB_TYPE", "mysql") == "mysql"


def stored_ratings():
    """The ratings by review number, read in one short connection, so that a change of policy shows at once."""
    import pymysql

    connection = pymysql.connect(
        host=os.environ["MYSQL_DB_HOST"],
        port=int(os.environ.get("MYSQL_DB_PORT", "3306")),
        user=os.environ["MYSQL_DB_USER"],
        password=os.environ["MYSQL_DB_PASSWORD"],
        database="test",
        connect_timeout=2,
        read_timeout=2,
        write_timeout=2,
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ReviewID, Rating FROM ratings ORDER BY ReviewID")
            return {f"Reviewer{review}": rating for review, rating in cursor.fetchall()}
    finally:
        connection.close()


def ratings(path, headers, query):
    number = path.rstrip("/").rpartition("/")[2]
    if not number.isdigit():
        return Reply(400, {"error": "the product number must be a number, as in /ratings/0"})
    if not USES_DATABASE:
        return Reply(200, {"id": int(number), "ratings": {"Reviewer1": 5, "Reviewer2": 4}})
    try:
        found = stored_ratings()
    except Exception as error:
        where = f"{os.environ.get('MYSQL_DB_HOST')}:{os.environ.get('MYSQL_DB_PORT', '3306')}"
        print(f"error: ratings database {where}: {error}", file=sys.stderr, flush=True)
        return Reply(500, {"error": "could not read the ratings database"})
    return Reply(200, {"id": int(number), "ratings": found})


def health(path, headers, query):
    return Reply(200, {"status": "Ratings is healthy"})


if __name__ == "__main__":
    serve({"/ratings": ratings, "/health": health})
