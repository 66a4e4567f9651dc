"""The page of a book, put together from details and reviews."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from string import Template

from service import CallFailed, Reply, call, serve

DETAILS = os.environ.get("DETAILS_HOST", "details:9080")
REVIEWS = os.environ.get("REVIEWS_HOST", "reviews:9080")
PAGE = Template((Path(__file__).parent / "productpage.html").read_text(encoding="utf-8"))
WORKERS = ThreadPoolExecutor(max_workers=32)

PRODUCT = {
    "title": "The Comedy of Errors",
    "summary": (
        "Two sets of identical twins, parted as infants by a shipwreck, end up in the same town on the same day. "
        "Wives, goldsmiths and officers of the law mistake one for the other until an abbess sorts them out. "
        "It is Shakespeare’s shortest play and one of his earliest."
    ),
}

DETAIL_LABELS = (
    ("author", "Author"),
    ("year", "Year"),
    ("type", "Type"),
    ("pages", "Pages"),
    ("publisher", "Publisher"),
    ("language", "Language"),
    ("ISBN-10", "ISBN-10"),
    ("ISBN-13", "ISBN-13"),
)


def fetch(host, path, headers):
    """The JSON, or None with a line in the log."""
    try:
        return call(host, path, headers, timeout=8)
    except CallFailed as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return None


def details_block(found):
    if found is None:
        return '<p class="notice">Sorry, product details are currently unavailable for this book.</p>'
    rows = "".join(
        f"<tr><th>{label}</th><td>{escape(str(found[key]))}</td></tr>" for key, label in DETAIL_LABELS if key in found
    )
    return f"<table>{rows}</table>"


def stars_line(rating):
    if rating is None:
        return ""
    if "error" in rating:
        return f'<p class="notice rating-error">{escape(rating["error"])}</p>'
    count = max(0, min(5, int(rating["stars"])))
    full, empty = "★" * count, "☆" * (5 - count)
    return (
        f'<p class="stars {escape(rating.get("color", "black"))}" data-stars="{count}" '
        f'aria-label="{count} of 5 stars">{full}<span class="empty">{empty}</span></p>'
    )


def reviews_block(found):
    if found is None:
        return '<p class="notice">Sorry, product reviews are currently unavailable for this book.</p>'
    entries = "".join(
        f'<blockquote class="review"><p>{escape(entry["text"])}</p><footer>— {escape(entry["reviewer"])}</footer>'
        f"{stars_line(entry.get('rating'))}</blockquote>"
        for entry in found["reviews"]
    )
    served = f'Reviews served by {escape(found["podname"])} ({escape(found["version"])})'
    return f'{entries}<p class="served">{served}</p>'


def productpage(path, headers, query):
    details = WORKERS.submit(fetch, DETAILS, "/details/0", headers)
    reviews = WORKERS.submit(fetch, REVIEWS, "/reviews/0", headers)
    return Reply(
        200,
        PAGE.substitute(
            title=escape(PRODUCT["title"]),
            summary=escape(PRODUCT["summary"]),
            details=details_block(details.result()),
            reviews=reviews_block(reviews.result()),
        ),
    )


def index(path, headers, query):
    if path != "/":
        return Reply(404, {"error": f"no such path: {path}; the page is at /productpage"})
    return Reply(200, PAGE.substitute(
        title="Bookinfo",
        summary="A small application of four services, made to watch a service mesh at work.",
        details='<p><a href="/productpage">The Comedy of Errors</a></p>',
        reviews="",
    ))


def products(path, headers, query):
    parts = [part for part in path.split("/") if part][3:]
    if not parts:
        return Reply(200, [{"id": 0, **PRODUCT}])
    if parts == ["0"]:
        return Reply(200, fetch(DETAILS, "/details/0", headers) or {"error": "details are unavailable"})
    if parts == ["0", "reviews"]:
        return Reply(200, fetch(REVIEWS, "/reviews/0", headers) or {"error": "reviews are unavailable"})
    return Reply(404, {"error": f"no such product: {path}"})


def health(path, headers, query):
    return Reply(200, {"status": "Product page is healthy"})


if __name__ == "__main__":
    serve({"/": index, "/productpage": productpage, "/api/v1/products": products, "/health": health})
