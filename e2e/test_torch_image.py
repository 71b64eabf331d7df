"""The service's image with torch (5 GB), built and asked: `make test-release`."""

import json
from dataclasses import replace

import pytest

from .cluster import images

pytestmark = pytest.mark.release
WITH_TORCH = replace(images.PRODUCT[0], name="service-torch", arguments=("EXTRAS=service torch",))

# All with what the image holds: a small checkpoint is written, served and asked.
SERVED = """
import json, os, subprocess, sys, urllib.request
from transformers import BertConfig, BertForSequenceClassification
from tokenizers import Tokenizer, models, pre_tokenizers
words = ["[PAD]", "[UNK]", *"好差快慢棒一般"]
size = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
labels = dict(id2label={0: "负面", 1: "正面"}, label2id={"负面": 0, "正面": 1})
config = BertConfig(vocab_size=len(words), max_position_embeddings=64, **size, **labels)
BertForSequenceClassification(config).save_pretrained("/tmp/checkpoint")
tokenizer = Tokenizer(models.WordPiece({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.save("/tmp/checkpoint/tokenizer.json")
settings = dict(MODEL_DIR="/tmp/checkpoint", HOST="127.0.0.1", PORT="0", WARM_UP="true")
command = [sys.executable, "-m", "sentiment_service", "serve"]
service = subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True)
told = (json.loads(line) for line in service.stdout if line.startswith("{"))
url = next(f"http://127.0.0.1:{one['port']}" for one in told if one["message"] == "listening")
body = json.dumps({"text": "好"}).encode()
ask = urllib.request.Request(url + "/api/v1/sentiment/analyze", body, {"Content-Type": "application/json"})
answer = json.load(urllib.request.urlopen(ask, timeout=120))
model = json.load(urllib.request.urlopen(url + "/api/v1/info"))["model"]
service.terminate()
print(json.dumps([answer["success"], model["engine"], service.wait(60), os.getuid()]))
"""


def test_the_image_with_torch_serves_a_checkpoint() -> None:
    [archive] = images.build_images((WITH_TORCH,))
    with images.container(images.pulled(archive)) as opened:
        python = ["/app/bin/python", "-c", SERVED]
        said = images.buildah("run", "--isolation=chroot", opened, "--", *python, what="python")
    assert json.loads(said.splitlines()[-1]) == [True, "torch", 0, 1000]
