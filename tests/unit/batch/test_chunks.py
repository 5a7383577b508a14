"""Chunks cover every id once, whatever the gaps."""

import pytest

from prebrush.batch.chunks import Chunk, Span


@pytest.mark.parametrize(
    ("span", "tasks"), [(Span(11, 249, 120), 50), (Span(1, 1, 1), 50), (Span(5, 10_000, 3), 50), (Span(1, 100, 100), 7)]
)
def test_chunks_cover_the_span_without_overlap(span, tasks):
    width = span.width(tasks)
    chunks = [span.chunk(number, width) for number in range(span.count_chunks(width))]
    ids = [number for chunk in chunks for number in range(chunk.first, chunk.last + 1)]
    assert ids == list(range(span.first, span.last + 1))


def test_a_chunk_holds_about_as_many_tasks_as_wanted():
    assert Span(1, 1000, 100).width(50) == 500
    assert list(Span(1, 100, 100).chunks()) == [Chunk(1, 50), Chunk(51, 100)]


def test_an_empty_project_has_no_chunks():
    assert list(Span(0, 0, 0).chunks()) == []
