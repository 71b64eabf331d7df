"""The article's way: Flask under gunicorn, torch, one text at a time, padded to 512 tokens."""

import os
import time

import torch
from flask import Flask, jsonify, request
from transformers import AutoModelForSequenceClassification, AutoTokenizer

app = Flask(__name__)
tokenizer = AutoTokenizer.from_pretrained(os.environ["BENCH_MODEL"])
device = "cuda" if torch.cuda.is_available() else "cpu"
network = AutoModelForSequenceClassification.from_pretrained(os.environ["BENCH_MODEL"]).eval().to(device)


@app.post("/api/v1/sentiment/analyze")
def analyze():
    begin = time.perf_counter()
    text = request.get_json()["text"]
    inputs = tokenizer(text, padding="max_length", truncation=True, max_length=512, return_tensors="pt")
    with torch.inference_mode():
        positive = float(torch.softmax(network(**inputs.to(device)).logits, dim=-1)[0, 1])
    data = {
        "text": text,
        "sentiment": "积极" if positive >= 0.5 else "消极",
        "confidence": round(max(positive, 1 - positive), 4),
        "analysis_time_ms": round((time.perf_counter() - begin) * 1000),
    }
    return jsonify(success=True, data=data)
