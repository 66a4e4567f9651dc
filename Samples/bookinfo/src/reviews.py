"""Two reviews of a book: v1 without stars, v2 with black stars, v3 with red stars."""

import os
import sys

from service import CallFailed, Reply, call, serve

VERSION = os.environ.get("SERVICE_VERSION", "v1")
RATINGS = os.environ.get("RATINGS_HOST", "ratings:9080")
COLOR = {"v2": "black", "v3": "red"}.get(VERSION)

TEXTS = (
    ("Reviewer1", "Two pairs of twins, one town, and not a calm minute: I laughed on the train and missed my stop."),
    ("Reviewer2", "Slighter than the great comedies, yet the clockwork of its mix-ups runs without a single stumble."),
)


def reviews(path, headers, query):
    number = path.rstrip("/").rpartition("/")[2]
    if not number.isdigit():
        return Reply(400, {"error": "the product number must be a number, as in /reviews/0"})
    entries = [{"reviewer": reviewer, "text": text} for reviewer, text in TEXTS]
    if COLOR:
        try:
            stars = call(RATINGS, f"/ratings/{number}", headers, timeout=5).get("ratings", {})
        except CallFailed as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            stars = None
        for entry in entries:
            if stars is None or entry["reviewer"] not in stars:
                entry["rating"] = {"error": "Ratings service is currently unavailable"}
            else:
                entry["rating"] = {"stars": stars[entry["reviewer"]], "color": COLOR}
    return Reply(
        200,
        {"id": number, "podname": os.environ.get("HOSTNAME", ""), "version": VERSION, "reviews": entries},
    )


def health(path, headers, query):
    return Reply(200, {"status": "Reviews is healthy"})


if __name__ == "__main__":
    serve({"/reviews": reviews, "/health": health})
