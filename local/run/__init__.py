"""`make run`: the whole platform on this machine, and loan applications that go through it (docs/how-to/run.md)."""
