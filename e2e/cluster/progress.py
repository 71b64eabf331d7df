"""Progress on long work: a moving line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(highlight=False, stderr=True)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show a step while it runs, and how long it took; yields a function that shows its state."""
    start = time.monotonic()
    if console.is_terminal:
        with console.status(f"{title} …") as status:

            def update(detail: str) -> None:
                status.update(f"{title} … {detail}  [dim]{time.monotonic() - start:.0f} s[/dim]")

            yield update
    else:
        console.print(f"- {title} …")
        last = start

        def update_plain(detail: str) -> None:
            nonlocal last
            if time.monotonic() - last >= 15:
                last = time.monotonic()
                console.print(f"  {detail} ({last - start:.0f} s)")

        yield update_plain
    console.print(f"[green]✓[/green] {title}  [dim]{time.monotonic() - start:.1f} s[/dim]")
