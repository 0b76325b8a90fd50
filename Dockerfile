# docker build -t msr-relay .
# docker run --rm -v msr-relay:/var/lib/msr-relay msr-relay token create NAME --scope admin
# docker run -p 127.0.0.1:8080:8080 --read-only --tmpfs /tmp -v msr-relay:/var/lib/msr-relay -v ./relay.yaml:/etc/msr-relay/relay.yaml:ro msr-relay
#
# Any image with Python 3.11 to 3.14 at the same path in both stages will do.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt requirements-build.txt ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r requirements-build.txt \
 && python -m venv /opt/msr-relay && /opt/msr-relay/bin/pip install --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY templates templates
COPY relay relay
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/msr-relay/bin/pip install --no-deps /dist/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="MSR Relay" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --home-dir /var/lib/msr-relay --create-home --shell /usr/sbin/nologin msr-relay
COPY --from=build /opt/msr-relay /opt/msr-relay
# The store lives in the volume; the root file system may be read-only. 0.0.0.0 because only published
# ports are reachable from outside the container; there the relay starts once somebody can log in.
ENV PATH=/opt/msr-relay/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RELAY_STORE=sqlite:////var/lib/msr-relay/relay.db \
    RELAY_SERVER__LISTEN=0.0.0.0:8080
USER 10001
WORKDIR /var/lib/msr-relay
VOLUME /var/lib/msr-relay
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["/opt/msr-relay/bin/python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["msr-relay"]
CMD ["run"]
