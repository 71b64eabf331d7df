"""What `spec.profile: edge` stands for: a pod that fits a small device."""

from .serving import Resources

CORES = "1"
MEMORY = "256Mi"
MODEL_MEMORY = "512Mi"

_GIVEN = Resources()
# CEL: the requests and limits are those that the schema gives.
UNTOUCHED = (
    f"self.resources.requests.cpu == '{_GIVEN.requests.cpu}' && "
    f"self.resources.requests.memory == '{_GIVEN.requests.memory}' && "
    f"self.resources.limits.memory == '{_GIVEN.limits.memory}' && !has(self.resources.limits.cpu)"
)


def on_the_edge(given: Resources, *, with_model: bool) -> Resources:
    """with_model: of a SentimentModel, which may be as large as BERT-base in int8.

    All of the memory is requested: a node that runs short of it evicts first who uses more than that.
    """
    memory = MODEL_MEMORY if with_model else MEMORY
    requests = given.requests.model_copy(update={"memory": memory})
    limits = given.limits.model_copy(update={"cpu": CORES, "memory": memory})
    return given.model_copy(update={"requests": requests, "limits": limits})
