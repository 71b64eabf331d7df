"""Specs for golden files and for the API server: minimal, full and odd ones."""

from dataclasses import replace
from typing import Any

from sentiment_operator.api.kinds import CHILDREN, CUSTOM_METRICS, HPA_TOLERANCE
from sentiment_operator.render import ModelSurroundings, PreparedModel, Surroundings

# A cluster that offers all that a spec can ask for, and one that offers nothing beyond Kubernetes 1.29.
RICH = Surroundings(
    "sentiment-operator/service:1",
    frozenset({known.kind for known in CHILDREN if known.optional} | {CUSTOM_METRICS, HPA_TOLERANCE}),
)
BARE = Surroundings("sentiment-operator/service:1")

_HOSTNAME = "kubernetes.io/hostname"
_GPU_NODES = {"key": "accelerator", "operator": "In", "values": ["a100", "h100"]}

FULL: dict[str, Any] = {
    "model": {"bundled": {}},
    "image": {"reference": "mirror/service:2.1", "pullPolicy": "Always", "pullSecrets": ["mirror"]},
    "replicas": 3,
    "resources": {
        "requests": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "100Mi"},
        "limits": {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "1Gi"},
        "extended": {"nvidia.com/gpu": "1"},
    },
    "rollout": {"type": "ResourceAware", "minReadySeconds": 5, "progressDeadlineSeconds": 120},
    "serving": {
        "engine": "torch",
        "workers": 2,
        "inferenceThreads": 4,
        "maxTextLength": 2000,
        "maxBatchItems": 100,
        "maxBodyBytes": 65536,
        "maxBatchTokens": 2048,
        "queueLimit": 1000,
        "requestTimeoutSeconds": 5,
        "drainSeconds": 10,
        "warmUp": True,
        "idleUnloadSeconds": 600,
        "memorySoftLimitBytes": 1000000000,
        "corsAllowOrigins": ["https://app.example.com", "http://localhost:3000"],
        "logLevel": "DEBUG",
        "logPreviewChars": 0,
    },
    "availability": {
        "podDisruptionBudget": {"minAvailable": "50%"},
        "topologySpread": [
            {"topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"},
            {"topologyKey": _HOSTNAME, "maxSkew": 2},
        ],
        "antiAffinity": "Required",
        "priorityClassName": "high",
    },
    "storage": {"size": "5Gi", "storageClassName": "fast", "accessMode": "ReadWriteMany", "retain": True},
    "monitoring": {
        "scrapeAnnotations": True,
        "serviceMonitor": {"interval": "30s", "labels": {"release": "stack"}},
        "prometheusRule": {
            "labels": {"release": "stack"},
            "alertLabels": {"team": "nlp"},
            "thresholds": {
                "unavailableFor": "5m",
                "p95LatencyMilliseconds": 250,
                "memory": "1Gi",
                "cpuPercent": 90,
                "successRatePercent": "99.9",
                "trafficDropPercent": 30,
            },
        },
        "dashboard": {"annotations": {"grafana_folder": "NLP"}},
        "tracing": {"otlpEndpoint": "http://collector.monitoring:4318"},
    },
    "access": {
        "path": "/sentiment",
        "service": {
            "type": "LoadBalancer",
            "annotations": {"example.com/internal": "true"},
            "loadBalancerClass": "example.com/lb",
            "loadBalancerSourceRanges": ["10.0.0.0/8"],
            "externalTrafficPolicy": "Local",
        },
        "ingress": {
            "host": "nlp.example.com",
            "className": "nginx",
            "tlsSecretName": "nlp-tls",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "4m"},
        },
        "networkPolicy": {
            "allowFrom": [
                {"name": "prometheus", "namespaceLabels": {"kubernetes.io/metadata.name": "monitoring"}},
                {"name": "shop", "podLabels": {"app": "shop"}},
                {"name": "office", "cidr": "192.168.0.0/16", "ports": [7860]},
                {"name": "everybody inside", "namespaceLabels": {}, "podLabels": {}},
            ],
            "allowTo": [{"name": "proxy", "cidr": "10.1.2.3/32", "ports": [3128]}],
        },
        "apiKeysSecretRef": {"name": "callers", "key": "keys.txt"},
    },
    "pod": {
        "labels": {"team": "nlp"},
        "annotations": {"example.com/note": "x"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [_GPU_NODES]}]
                }
            },
            "podAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 10,
                        "podAffinityTerm": {
                            "labelSelector": {"matchLabels": {"app": "shop"}},
                            "topologyKey": _HOSTNAME,
                        },
                    }
                ]
            },
        },
        "env": [
            {"name": "HTTPS_PROXY", "value": "http://10.1.2.3:3128"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "serviceAccountName": "nlp",
        "securityContext": {
            "runAsUser": 2000,
            "runAsGroup": 2000,
            "fsGroup": 2000,
            "supplementalGroups": [3000],
            "seLinuxOptions": {"level": "s0:c1,c2"},
        },
    },
}

AUTOSCALED: dict[str, Any] = {
    "storage": {"accessMode": "ReadWriteMany"},
    "autoscaling": {"type": "HPA"},
    "monitoring": {"serviceMonitor": {}, "prometheusRule": {}, "dashboard": {}},
    "access": {
        "httpRoute": {
            "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
            "hostnames": ["nlp.example.com"],
        }
    },
}

REVIEWS = PreparedModel("", "reviews-v2", "reviews-v2-model", "0a1b2c3d4e", one_node=False)
# The default one comes first, wherever it is in the list.
SEVERAL: dict[str, Any] = {
    "models": [
        {"name": "reviews", "modelRef": {"name": "reviews-v2"}},
        {"name": "tweets", "modelRef": {"name": "tweets"}, "default": True},
    ]
}
TWEETS = PreparedModel("tweets", "tweets", "tweets-model", "1122334455", one_node=True)
PREPARED = (TWEETS, replace(REVIEWS, called="reviews"))

# What sees requests while there is no pod.
OUTSIDE = "traefik_router_requests_total{service='shop-reviews-http@kubernetes'}"

# What each folder of golden files shows: a spec, and the cluster that it is for.
CASES: dict[str, tuple[dict[str, Any], Surroundings]] = {
    "default": ({}, BARE),
    "full": (FULL, RICH),
    "autoscaled": (AUTOSCALED, RICH),
    "keda": (
        {
            "autoscaling": {
                "type": "KEDA",
                "minReplicas": 1,
                "maxReplicas": 4,
                "prometheusAddress": "http://prometheus.monitoring:9090",
                "scaleDown": {"podsPerMinute": 2, "stabilizationWindowSeconds": 60},
            },
            "access": {"networkPolicy": {}},
        },
        RICH,
    ),
    "to-zero": (
        {
            "autoscaling": {
                "type": "KEDA",
                "minReplicas": 0,
                "prometheusAddress": "http://prometheus.monitoring:9090",
                "activationQuery": f"rate({OUTSIDE}[2m])",
            },
            "monitoring": {"serviceMonitor": {}, "prometheusRule": {}},
        },
        RICH,
    ),
    "edge": ({"profile": "edge", "resources": {"limits": {"ephemeral-storage": "1Gi"}}}, BARE),
    # Asked for and not to be had: nothing of it is made, and nothing else is lost.
    "poor-cluster": (AUTOSCALED, BARE),
    "odd": (
        {
            "replicas": 0,
            "image": {"reference": "mirror:5000/a/b@sha256:" + "0" * 64},
            "rollout": {"maxSurge": "25%", "maxUnavailable": "10%"},
            "availability": {"podDisruptionBudget": {"policy": "Always", "maxUnavailable": 0}},
            "access": {"service": {"type": "NodePort"}},
        },
        RICH,
    ),
    "unknown-model": ({"model": {"modelRef": {"name": "reviews-v2"}}}, RICH),
    "model": (
        {
            "model": {"modelRef": {"name": "reviews-v2"}},
            "replicas": 2,
            "availability": {"antiAffinity": "Required"},
        },
        replace(RICH, models=(REVIEWS,)),
    ),
    "model-on-one-node": (
        {"model": {"modelRef": {"name": "reviews-v2"}}, "replicas": 2},
        replace(RICH, models=(replace(REVIEWS, one_node=True),)),
    ),
    "several-models": (SEVERAL, replace(RICH, models=PREPARED)),
}

# The volume is there, so the Job can be made.
CLAIM = {"kind": "PersistentVolumeClaim", "metadata": {"name": "reviews-model", "uid": "c1"}}
PREPARER = ModelSurroundings("sentiment-operator/models:1", RICH.apis, CLAIM)

FULL_MODEL: dict[str, Any] = {
    "source": {
        "modelScope": {
            "repository": "damo/nlp_structbert_sentiment-classification_chinese-base",
            "revision": "v1.0.0",
            "endpoint": "https://mirror.example.com",
        },
        "credentialsSecretRef": {"name": "hub"},
    },
    "labels": {"negative": "负面", "positive": "正面"},
    "precision": "int8",
    "pruning": {
        "percent": 25,
        "distillation": {"texts": {"configMapKeyRef": {"name": "unlabelled", "key": "csv"}}},
    },
    "gate": {
        "maxAccuracyDrop": 1.5,
        "maxCalibrationRise": 2,
        "maxTexts": 500,
        "evaluation": {"configMapKeyRef": {"name": "reviews", "key": "texts"}},
    },
    "storage": {"size": "10Gi", "storageClassName": "nfs", "accessMode": "ReadWriteMany", "retain": True},
    "image": {"reference": "mirror/models:2.1", "pullPolicy": "Always", "pullSecrets": ["mirror"]},
    "job": {
        "resources": {
            "requests": {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "1Gi"},
            "limits": {"cpu": "4", "memory": "6Gi", "ephemeral-storage": "2Gi"},
        },
        "deadlineSeconds": 3600,
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "batch", "operator": "Exists", "effect": "NoSchedule"}],
        "env": [{"name": "HTTPS_PROXY", "value": "http://10.1.2.3:3128"}],
        "securityContext": {"runAsUser": 2000, "runAsGroup": 2000, "fsGroup": 2000},
    },
}

MODEL_CASES: dict[str, tuple[dict[str, Any], ModelSurroundings]] = {
    "model-bundled": ({"source": {"bundled": {}}}, replace(PREPARER, package="aaaa", used=frozenset({"b"}))),
    "model-full": (FULL_MODEL, PREPARER),
    "model-claims": (
        {
            "source": {"pvc": {"claimName": "checkpoints", "path": "structbert/v1"}},
            "gate": {"evaluation": {"pvc": {"claimName": "texts", "path": "reviews.csv"}}},
        },
        PREPARER,
    ),
    "model-offline": (
        {
            "source": {
                "huggingFace": {"repository": "a/b", "offline": {"claimName": "caches", "path": "hub"}},
            },
            "job": {"env": [{"name": "X", "value": "y"}]},
        },
        PREPARER,
    ),
    "model-oci": ({"source": {"oci": {"reference": "example.com/model:1", "path": "model"}}}, PREPARER),
    "model-s3": (
        {
            "source": {
                "s3": {"url": "s3://models/structbert", "endpoint": "http://minio:9000"},
                "credentialsSecretRef": {"name": "bucket"},
            },
        },
        PREPARER,
    ),
    "model-torch": (
        {
            "source": {"huggingFace": {"repository": "a/b"}},
            "engine": "torch",
            "labels": {"negative": "差评", "positive": "好评"},
        },
        PREPARER,
    ),
    # Without a volume there is nothing to name the Job by.
    "model-new": (
        {"source": {"http": {"url": "https://example.com/model.tar.gz"}}},
        replace(PREPARER, claim=None),
    ),
}
