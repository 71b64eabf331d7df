"""The programs that the article tells its readers to write, word for word, against the service as it runs.

Only the line breaks, which the article lost, and the port are ours. Its client is in tests/client.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentiment_service

from tests.service.running import Running, running

BUNDLED = Path(sentiment_service.__file__).parent / "bundled"

HEALTH_CHECK = """\
# health_check.py
import requests
import json
import sys
from datetime import datetime

def check_service_health():
    try:
        # 检查主服务
        response = requests.get('http://localhost:7860/health', timeout=5)
        if response.status_code == 200:
            health_data = response.json()
            # 检查关键指标
            if health_data['status'] != 'healthy':
                print(f"[{datetime.now()}] 服务状态异常: {health_data}")
                return False
            # 检查内存使用
            if health_data['memory_usage_mb'] > 1500:
                print(f"[{datetime.now()}] 内存使用过高: {health_data['memory_usage_mb']}MB")
                return False
            # 检查模型是否加载
            if not health_data['model_loaded']:
                print(f"[{datetime.now()}] 模型未加载")
                return False
            print(f"[{datetime.now()}] 服务健康检查通过")
            return True
    except Exception as e:
        print(f"[{datetime.now()}] 健康检查失败: {str(e)}")
        return False
    return False

if __name__ == '__main__':
    if not check_service_health():
        # 健康检查失败,触发重启
        print("触发服务重启...")
        # 这里可以添加重启逻辑,如调用supervisorctl
        sys.exit(1)
"""

# Out of its `AutoScaler.get_service_metrics`.
METRICS = """\
import requests

def get_service_metrics():
    \"""获取服务指标\"""
    try:
        response = requests.get('http://localhost:7860/metrics', timeout=5)
        if response.status_code == 200:
            # 解析Prometheus格式的指标
            metrics_text = response.text
            metrics = {}
            for line in metrics_text.split('\\n'):
                if line and not line.startswith('#'):
                    if 'structbert_active_requests' in line:
                        # 解析活跃请求数
                        parts = line.split()
                        if len(parts) >= 2:
                            metrics['active_requests'] = float(parts[1])
            return metrics
    except:
        return {}

print(get_service_metrics())
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(BUNDLED, tmp_path_factory.mktemp("service"), warm_up=True) as found:
        yield found


def _run(program: str, service: Running) -> str:
    program = program.replace("localhost:7860", f"localhost:{service.http.base_url.port}")
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-"], input=program, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_health_check_is_content(service: Running) -> None:
    assert service.analyze("很好").status_code == 200
    assert _run(HEALTH_CHECK, service).endswith("服务健康检查通过\n")


def test_the_autoscaler_reads_how_many_requests_are_active(service: Running) -> None:
    assert _run(METRICS, service) == "{'active_requests': 0.0}\n"
