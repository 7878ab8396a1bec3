"""Benchmarks: what recording and exporting cost, compared with floors and with other libraries.

The words that this package uses:

- A *question* is one thing to measure, such as a request on Starlette. Each is a module of
  ``benchmarks.questions``.
- A *contestant* is one way to do what the question asks: *bare* (without metrics), *floor*, *ours*, or
  another library. Each runs in a process of its own.
- A *floor* is the least Python code that does the same arithmetic. It is not fit for real use.
- A *case* is a size that a question is asked for, such as 1,000 series.
- A *batch* is a number of repetitions that are timed together, and a *column* is one value that a batch
  measures.
- The *effort* says how many processes, rounds and repetitions there are. It comes in three forms: ``tiny``
  checks that everything runs, ``quick`` takes some minutes, ``full`` measures every case with more batches.

``python -m benchmarks`` asks the questions and writes ``benchmarks/results/``.
``python -m benchmarks.document`` puts the tables into docs/performance.md.
``python -m benchmarks.lines`` profiles a request line by line.
``python -m benchmarks.dead_collector`` measures what a Collector costs that does not answer.
"""
