"""The files, as text. Pure: the same plan, the same files."""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath

from sentiment_service.settings import Settings

HEADER = "Written by `sentiment-service install`, and written anew when it runs again."
ENVIRONMENT = PurePosixPath("/etc/sentiment-service/environment")
_UNITS = PurePosixPath("/etc/systemd/system")
NGINX = PurePosixPath("/etc/nginx/conf.d/sentiment-service.conf")
_SUPERVISOR = PurePosixPath("/etc/supervisor/conf.d/sentiment-service.conf")
# What one client may send at once above its rate, in seconds of the rate.
_BURST_SECONDS = 2
DEFAULTS = Settings.model_construct()

Files = dict[PurePosixPath, str]
"""Where → what."""


class _Template(string.Template):
    delimiter = "@@"  # nginx, systemd and supervisor use all the shorter ones


@dataclass(frozen=True, kw_only=True)
class Site:
    """What nginx serves."""

    upstreams: tuple[str, ...]
    """host:port of each instance."""
    server_name: str = "_"
    http_port: int = 80
    https_port: int = 443
    certificate: tuple[str, str] | None = None
    """Certificate and key: HTTPS, to which HTTP is sent on."""
    rate: int = 100
    """API requests a second of one client."""
    answer_seconds: int = round(DEFAULTS.request_timeout_seconds) + 5
    """Patience with an instance: longer than its own deadline, whose answer says more."""

    @property
    def any_name(self) -> bool:
        return self.server_name == "_"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What runs on the machine, under whichever manager."""

    python: str
    instances: int = 3
    first_port: int = 7861
    memory_max: str = "2G"
    user: str = "www-data"
    """Under supervisor; systemd makes one up."""
    httpok: str = "httpok"
    """superlance's program."""
    logs: str = "/var/log/sentiment-service"
    """Where supervisor writes what the instances say; systemd has the journal."""

    @property
    def ports(self) -> range:
        return range(self.first_port, self.first_port + self.instances)

    @property
    def upstreams(self) -> tuple[str, ...]:
        return tuple(f"127.0.0.1:{port}" for port in self.ports)


def nginx(site: Site, header: str = HEADER) -> str:
    """A file for nginx's http block, as conf.d/ holds them."""
    servers = [f"    server {one} max_fails=2 fail_timeout=10s;" for one in site.upstreams]
    return _fill(
        "nginx.conf",
        header=header,
        rate=site.rate,
        burst=_BURST_SECONDS * site.rate,
        servers="\n".join(servers),
        redirect=_redirect(site),
        listen="\n".join(_listen(site)),
        server_name=site.server_name,
        body_bytes=DEFAULTS.max_body_bytes,
        answer_seconds=site.answer_seconds,
        errors="".join(_error_page(*error) for error in _ERRORS),
    )


def systemd(plan: Plan, site: Site) -> Files:
    """Template unit, the target that starts and stops all instances, settings, and nginx."""
    unit, target = "sentiment-service@.service", "sentiment-service.target"
    return {
        _UNITS / unit: _fill(unit, header=HEADER, python=plan.python, memory_max=plan.memory_max),
        _UNITS / target: _fill(target, header=HEADER),
        ENVIRONMENT: _fill("environment"),
        NGINX: nginx(site),
    }


def supervisor(plan: Plan, site: Site) -> Files:
    """A program of several processes, a health check for each, and nginx."""
    text = _fill(
        "supervisor.conf",
        header=HEADER,
        python=plan.python,
        instances=plan.instances,
        first_port=plan.first_port,
        user=plan.user,
        logs=plan.logs,
        health="".join(_health(plan, port) for port in plan.ports).rstrip(),
    )
    return {_SUPERVISOR: text, NGINX: nginx(site)}


# status that nginx makes itself → the service's own envelope: name, status for the caller, message
_ERRORS = [
    ("payload_too_large", 413, "the body is too large: send it in parts, or as a stream"),
    ("rate_limited", 429, "too many requests from this address; try again later"),
    ("unavailable", 503, "no instance of the service answers; try again later"),
    ("deadline_exceeded", 504, "no instance of the service answered in time"),
]


def _error_page(name: str, status: int, message: str) -> str:
    retry = "        add_header Retry-After 1 always;\n" if status in (429, 503) else ""
    error = f'{{"code": "{name}", "message": "{message}"}}'
    answer = f'{{"success": false, "error": {error}, "request_id": "$sentiment_request_id"}}'
    return f"""
    location @{name} {{
        default_type application/json;
        add_header X-Request-ID $sentiment_request_id always;
{retry}        return {status} '{answer}';
    }}
"""


def _listen(site: Site) -> Iterable[str]:
    if site.certificate is None:
        yield from _sockets(site, site.http_port)
        return
    certificate, key = site.certificate
    yield from _sockets(site, site.https_port, " ssl")
    yield from (
        f"    ssl_certificate {certificate};",
        f"    ssl_certificate_key {key};",
        "    ssl_protocols TLSv1.2 TLSv1.3;",
        "    ssl_session_cache shared:sentiment_service_tls:1m;",
        "    ssl_session_tickets off;",
    )


def _sockets(site: Site, port: int, how: str = "") -> Iterable[str]:
    """`_` is no wildcard: what answers to any name is the default server."""
    if site.any_name:
        how += " default_server"
    return (f"    listen {port}{how};", f"    listen [::]:{port}{how};")


def _redirect(site: Site) -> str:
    """308 keeps method and body."""
    if site.certificate is None:
        return ""
    port = "" if site.https_port == 443 else f":{site.https_port}"
    sockets = "\n".join(_sockets(site, site.http_port))
    return f"""
server {{
{sockets}
    server_name {site.server_name};
    server_tokens off;
    return 308 https://$host{port}$request_uri;
}}
"""


def _health(plan: Plan, port: int) -> str:
    """superlance's httpok restarts an instance that does not answer. With less than its 10 seconds between
    two attempts (-t) httpok makes none, and takes every instance for dead."""
    return f"""
[eventlistener:sentiment-service-health-{port}]
command={plan.httpok} -p sentiment-service:{port} -t 10 http://127.0.0.1:{port}/livez
events=TICK_5
"""


def _fill(name: str, **values: object) -> str:
    text = (resources.files(__package__) / "templates" / name).read_text("utf-8")
    return _Template(text).substitute(values)
