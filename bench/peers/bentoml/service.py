"""BentoML as https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html says:
`bentoml serve service:Classifier`. A client sends a list of one text; lists of several clients are joined.
"""

import bentoml
from peers_common import load


@bentoml.service(traffic={"timeout": 120, "concurrency": 32})
class Classifier:
    def __init__(self) -> None:
        self.classify_texts = load()

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=60000)
    def classify(self, texts: list[str]) -> list[float]:
        return self.classify_texts(texts)
