"""The model code that LitServe, BentoML and the article's server share: texts in, P(positive) out."""

import os
from pathlib import Path

import numpy as np


def load():
    """A function from a list of texts to a list of probabilities; a batch is padded to its longest text.

    BENCH_TOKENIZER: a checkpoint. BENCH_ENGINE: torch, onnx or openvino. BENCH_MODEL: the engine's model.
    """
    from transformers import AutoTokenizer

    model, engine = os.environ["BENCH_MODEL"], os.environ["BENCH_ENGINE"]
    tokenizer = AutoTokenizer.from_pretrained(os.environ["BENCH_TOKENIZER"])
    logits = {"torch": _torch, "onnx": _onnx, "openvino": _openvino}[engine](Path(model))

    def classify(texts):
        rows = tokenizer(list(texts), padding=True, truncation=True, max_length=512, return_tensors="np")
        scores = logits(rows["input_ids"].astype(np.int64), rows["attention_mask"].astype(np.int64))
        return (1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))).tolist()

    return classify


def _torch(model):
    import torch
    from transformers import AutoModelForSequenceClassification

    network = AutoModelForSequenceClassification.from_pretrained(model).eval()

    def run(ids, mask):
        with torch.inference_mode():
            found = network(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return found.logits.numpy()

    return run


def _onnx(model):
    import onnxruntime

    session = onnxruntime.InferenceSession(model / "model_quantized.onnx", providers=["CPUExecutionProvider"])
    wanted = {found.name for found in session.get_inputs()}

    def run(ids, mask):
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return session.run(["logits"], {name: feed[name] for name in wanted})[0]

    return run


def _openvino(model):
    import openvino

    request = openvino.Core().compile_model(model / "model.xml", "CPU").create_infer_request()
    return lambda ids, mask: request.infer({"input_ids": ids, "attention_mask": mask})[0]
