"""Small real training loops under `ledger.record`: some that are right, and some with one known mistake each."""
