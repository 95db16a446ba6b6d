"""`make run`: the whole platform on this machine, with loan applications that go through it (docs/how-to/run.md)."""
