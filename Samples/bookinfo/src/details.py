"""Facts about a book."""

from service import Reply, serve


def details(path, headers, query):
    number = path.rstrip("/").rpartition("/")[2]
    if not number.isdigit():
        return Reply(400, {"error": "the product number must be a number, as in /details/0"})
    return Reply(
        200,
        {
            "id": int(number),
            "author": "William Shakespeare",
            "year": 1595,
            "type": "paperback",
            "pages": 200,
            "publisher": "Lateen Press",
            "language": "English",
            "ISBN-10": "1234567890",
            "ISBN-13": "123-1234567890",
        },
    )


def health(path, headers, query):
    return Reply(200, {"status": "Details is healthy"})


if __name__ == "__main__":
    serve({"/details": details, "/health": health})
