# syntax=docker/dockerfile:1
# Prepares SentimentModels. Build from the repository's root: docker build -f service/models.Dockerfile .
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS base

FROM base AS build
# The CA bundle of the build machine counts, as it does for pip. No hash is seeded, so that byte code is the same again.
ENV UV_SYSTEM_CERTS=true PYTHONHASHSEED=0
RUN python3 -m venv /uv && /uv/bin/pip install --no-cache-dir --quiet uv==0.13.9
WORKDIR /src
# "models" converts checkpoints, with torch and CUDA's libraries (5 GB); "packages" takes finished packages only.
ARG EXTRAS=models
COPY pyproject.toml uv.lock ./
RUN /uv/bin/uv export --frozen --quiet --no-dev $(printf -- "--extra %s " $EXTRAS) --no-emit-project -o /src/requirements.txt \
 && python3 -m venv --without-pip /app \
 && /uv/bin/uv pip install --python /app/bin/python --no-cache --require-hashes -r requirements.txt
COPY service/sentiment_models /code/sentiment_models
COPY service/sentiment_service/bundled /code/sentiment_service/bundled
COPY service/rootfs.py ./
RUN cp -r /code/* "$(/app/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && python3 rootfs.py /rootfs /app

# Python, what it loads, and the application; no shell and no package manager.
FROM scratch
ARG BASE_IMAGE
ARG VERSION
LABEL org.opencontainers.image.title="sentiment-models" \
      org.opencontainers.image.description="Prepares models for Chinese sentiment analysis" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
COPY --from=build /rootfs /
# Not the build machine's.
COPY --from=base /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /app /app
ENV PATH=/app/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    USER=sentiment
USER 1000:1000
ENTRYPOINT ["/app/bin/python", "-m", "sentiment_models"]
CMD ["--help"]
