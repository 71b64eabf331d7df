# syntax=docker/dockerfile:1
# Prepares SentimentModels. Build from the repository's root: docker build -f service/models.Dockerfile .
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
# The CA bundle of the build machine counts, as it does for pip.
ENV UV_SYSTEM_CERTS=true
RUN python3 -m venv /uv && /uv/bin/pip install --no-cache-dir --quiet uv
WORKDIR /src
# "models" converts checkpoints, with torch and CUDA's libraries (5 GB); "packages" takes finished packages only.
ARG EXTRAS=models
COPY pyproject.toml uv.lock ./
RUN /uv/bin/uv export --frozen --quiet --no-dev $(printf -- "--extra %s " $EXTRAS) --no-emit-project -o /src/requirements.txt \
 && python3 -m venv --without-pip /app \
 && /uv/bin/uv pip install --python /app/bin/python --no-cache --require-hashes --compile-bytecode -r requirements.txt
COPY service/sentiment_models /code/sentiment_models
COPY service/sentiment_service/bundled /code/sentiment_service/bundled
RUN python3 -m compileall -q /code \
 && cp -r /code/* "$(/app/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="sentiment-models" \
      org.opencontainers.image.description="Prepares models for Chinese sentiment analysis" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    USER=sentiment
USER 1000:1000
ENTRYPOINT ["/app/bin/python", "-m", "sentiment_models"]
CMD ["--help"]
