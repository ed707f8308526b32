"""What stands at the end of each command's help: examples that run as they are, and where to read on.

The tests give every example to its command's parser, so none can go stale.
"""

from __future__ import annotations

# command -> (what is typed, what for)
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "demo": (
        ("copytrade demo", "watch a minute of it"),
        ("copytrade demo --serve", "an exchange of your own to try init, doctor, run and status on"),
    ),
    "init": (
        ("copytrade init", "be asked"),
        ("copytrade init --target 0x... --my-address 0x... --key-in none", "from a script, for a dry run"),
    ),
    "plan": (
        ("copytrade plan --snapshot facts.json", "a table"),
        ("tail -n 1 journal/2026-01-31.jsonl | copytrade plan --snapshot - --json", "decide a cycle once more"),
        ("copytrade plan --snapshot facts.json --explain paris", "one token, in sentences"),
    ),
    "doctor": (
        ("copytrade doctor --keystore copytrade_keystore.json", "would a live start go on?"),
        ("copytrade doctor --dry-run --json", "for a machine, without a key"),
    ),
    "run": (
        ("copytrade run --dry-run --once", "look once; send and write nothing"),
        ("copytrade run --keystore copytrade_keystore.json", "follow, live"),
        ("copytrade run --config other.json --ratio 0.05 --plain", "other settings, lines instead of the view"),
        ("copytrade run --yes --log-format json", "a service: no questions, a log for machines"),
    ),
    "stop": (
        ("copytrade stop", "take all orders down and place none, until"),
        ("copytrade stop --lift", "it is lifted"),
    ),
    "status": (
        ("copytrade status", "of the run that copytrade_config.json in this folder configures"),
        ("copytrade status --watch --every 5", "again and again"),
        ("copytrade status --state /srv/copytrade/state.json --json", "of another one, for a machine"),
    ),
    "explain": (
        ("copytrade explain paris", "by a word of the title"),
        ("copytrade explain 0x3a73 --cycles 200", "by the beginning of the key, over more than an hour"),
    ),
    "backtest": (
        ("copytrade backtest history.jsonl.gz --report out.html", "with a page that opens without network"),
        ("copytrade backtest journal/ --set follow_ratio=0.5", "what half of his positions would have made"),
        ("copytrade backtest history.jsonl.gz --sweep order_ttl_sec=30,90", "each setting in turn"),
    ),
    "record": (
        ("copytrade record --target 0x... --out history.jsonl.gz", "watch a wallet, until Ctrl-C"),
        ("copytrade record --target 0x... --out past.jsonl.gz --history --days 30", "fetch its past"),
    ),
    "diagnose": (
        ("copytrade diagnose", "an archive for a bug report, without secrets"),
        ("copytrade diagnose --days 1 --output report.tar.gz --yes", "without being asked"),
    ),
}

FIRST_STEPS = (
    ("copytrade demo", "watch it; no key, no money"),
    ("copytrade init", "write a configuration"),
    ("copytrade doctor", "check what a start needs"),
    ("copytrade run --dry-run", "look, and send nothing"),
    ("copytrade run", "follow"),
)
ROOT_EPILOG = """\
COMMAND --help says more. Exit codes: 0 done or stopped on request, 2 wrong usage or input, 3 refused to start or to go
on, 1 anything unexpected. The signing key is read from COPYTRADE_PRIVATE_KEY, a keystore file or the system keyring,
never from a flag or the configuration. NO_COLOR=1 turns colours off.
"""


def epilog_of(examples: tuple[tuple[str, str], ...], head: str = "Examples:") -> str:
    """The end of a help text: each example, and below it what it is for. Lines are kept as they are."""
    lines = [line for typed, why in examples for line in (f"  $ {typed}", f"      {why}")]
    return "\b\n" + "\n".join([head, *lines])
