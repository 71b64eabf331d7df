"""kopf wiring, and nothing else: an event becomes a key in the queue."""

from typing import Any

import kopf

from .api.v1alpha1 import GROUP, PLURAL, VERSION
from .health import HealthServer
from .runtime import CHILD_SELECTOR, WATCHED_CHILDREN, Runtime


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Watch only what is ours; write nothing through kopf."""
    settings.posting.enabled = False
    settings.peering.standalone = True
    for known in WATCHED_CHILDREN:
        settings.watching.label_selectors[known.group, known.version, known.plural] = CHILD_SELECTOR
    runtime: Runtime = memo.runtime
    memo.health = HealthServer(runtime)
    await memo.health.start(memo.port)
    runtime.start()


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Stop working, then stop answering."""
    await memo.runtime.stop()
    await memo.health.stop()


async def seen(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """An object came, changed or went."""
    memo.runtime.on_event(event["type"], dict(event["object"]))


kopf.on.event(GROUP, VERSION, PLURAL)(seen)
for watched in WATCHED_CHILDREN:
    kopf.on.event(watched.group, watched.version, watched.plural)(seen)
