import signal


def as_in_a_terminal() -> None:
    """Undo, in a child before it starts, what a job in the background or `nohup` ignores: signals end it again."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
