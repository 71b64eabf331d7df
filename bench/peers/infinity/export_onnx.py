"""Exports a checkpoint to ONNX and quantises it as Optimum's documentation says: `… CHECKPOINT OUT`.

OUT then holds the checkpoint's small files, model.onnx (fp32) and model_quantized.onnx (dynamic int8).
"""

import shutil
import sys
from pathlib import Path

from optimum.onnxruntime import ORTModelForSequenceClassification, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig

checkpoint, out = map(Path, sys.argv[1:])
ORTModelForSequenceClassification.from_pretrained(checkpoint, export=True).save_pretrained(out)
for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
    shutil.copyfile(checkpoint / name, out / name)
quantizer = ORTQuantizer.from_pretrained(out, file_name="model.onnx")
config = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True)
quantizer.quantize(save_dir=out, quantization_config=config)
