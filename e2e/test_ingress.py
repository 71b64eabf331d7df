"""The page through an ingress controller, under a path and with a key, as docs/how-to/access.md tells."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .browsing import new_page, port_forward
from .demo import wait_ready
from .provider import Cluster, add_ingress
from .wait import quiet, wait_for

pytestmark = pytest.mark.e2e
HOST = "reviews.localhost"  # browsers take any name under localhost for this machine
KEY = "care-key-3c8f0b6f2f0c4a0e"


@pytest.fixture(scope="module")
def controlled(cluster: Cluster) -> Cluster:
    """The cluster with Traefik in it."""
    add_ingress(cluster)
    return cluster


def exposed(cluster: Cluster, namespace: str) -> bool:
    conditions = cluster.get("-n", namespace, "sentimentservice", "reviews")["status"]["conditions"]
    return any(one["type"] == "Exposed" and one["status"] == "True" for one in conditions)


@contextmanager
def published(cluster: Cluster, namespace: str, access: dict[str, Any]) -> Iterator[Page]:
    """The page of a service that is published so, in a browser on this machine."""
    cluster.apply(
        {
            "apiVersion": "sentiment-operator.io/v1alpha1",
            "kind": "SentimentService",
            "metadata": {"name": "reviews"},
            "spec": {"serving": {"warmUp": True}, "access": {"path": "/sentiment", **access}},
        },
        namespace,
    )
    wait_ready(cluster, namespace, "reviews", quiet)
    wait_for("the condition Exposed", lambda: exposed(cluster, namespace), 60)
    with port_forward(cluster, "traefik", "traefik", 80) as port, new_page("en-GB") as page:
        page.goto(f"http://{HOST}:{port}/sentiment/")
        yield page


def type_a_text(page: Page) -> None:
    page.locator("#live-text").fill("屏幕很好，但是电池太差")
    expect(page.locator(".clause.negative")).to_contain_text("电池太差", timeout=30_000)


def analyse_a_file(page: Page) -> None:
    page.get_by_role("link", name="Batch").click()
    rows = "\n".join(f"第{number}单，客服不理人，差评" for number in range(1200)).encode()
    page.locator("#file").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": rows})
    page.get_by_role("button", name="Analyse all rows").click()
    expect(page.locator(".progress[data-phase=done]")).to_contain_text("1,200 / 1,200", timeout=120_000)


def test_an_ingress_under_a_path_with_keys(controlled: Cluster, namespace: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "callers"}}
    controlled.apply({**secret, "stringData": {"keys.txt": f"care={KEY}\n"}}, namespace)
    access = {
        "ingress": {"className": "traefik", "host": HOST},
        "apiKeysSecretRef": {"name": "callers", "key": "keys.txt"},
    }
    with published(controlled, namespace, access) as page:
        expect(page.get_by_role("dialog")).to_contain_text("An API key is needed")
        page.get_by_label("Key", exact=True).fill(KEY)
        page.keyboard.press("Enter")
        type_a_text(page)
        analyse_a_file(page)
        page.get_by_role("link", name="Status").click()
        expect(page.locator(".health")).to_contain_text("Healthy")
        assert KEY not in json.dumps(page.evaluate("({...localStorage})"))


def test_a_route_of_the_gateway_api(controlled: Cluster, namespace: str) -> None:
    route = {"parentRefs": [{"name": "public", "namespace": "traefik"}], "hostnames": [HOST]}
    with published(controlled, namespace, {"httpRoute": route}) as page:
        type_a_text(page)
