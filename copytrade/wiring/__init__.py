"""The composition root: the one place that knows the adapters and puts them behind the ports.

A command imports the module that it needs, when it needs it, so that none waits for what it does not use. What it gets
are ports, records and functions; what was opened is closed when the `with` block ends.

    running.py    a run that is ready to go around: its connections, files and lock
    telling.py    who is told of it: the log, alerts, metrics
    keys.py       the key that signs, and storing one
    looking.py    what a run has left, seen from outside; the switch that stops it
    checking.py   what a start depends on (doctor), and what goes into a bug report (diagnose)
    practice.py   embedded exchanges: the demo, and the one to practice with
    tapes.py      tapes for backtests: recorded, read, written

    services.py   what several of these connect to
"""
