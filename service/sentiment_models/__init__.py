"""Model preparation: trains, converts, quantises and judges model packages."""

import sys

# OpenVINO and NNCF would tell their makers of every conversion; without this package they tell nobody.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
