"""LitServe as https://lightning.ai/docs/litserve/features/batching says: dynamic batching; `… PORT`.

With BENCH_ENGINE=openvino it runs this project's own int8 model, which tells the server's part of the
difference from the engine's.
"""

import sys

import litserve as ls
from peers_common import load


class Classifier(ls.LitAPI):
    def setup(self, device):  # noqa: ARG002 LitServe passes it by name
        self.classify = load()

    def decode_request(self, request):
        return request["text"]

    def predict(self, texts):
        return self.classify(texts)

    def encode_response(self, output):
        return {"positive": output}


if __name__ == "__main__":
    server = ls.LitServer(Classifier(max_batch_size=32, batch_timeout=0.01), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
