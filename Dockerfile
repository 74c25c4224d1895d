# burstd in a container beside HAProxy.
#
#   docker build --tag burstd .
#   docker run --network host --group-add "$(getent group haproxy | cut -d: -f3)" \
#     --volume /run/haproxy:/run/haproxy --volume /etc/burstd:/etc/burstd:ro --volume burstd:/var/lib/burstd burstd
#
# It needs HAProxy's admin socket and its own state volume; the network is the host's because it reaches the core's exporters and
# serves its own page on 127.0.0.1 alone.
ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/burstd
# The lock first: as long as it stays the same, so does this layer.
COPY requirements.lock ./
RUN python -m pip install --no-cache-dir --require-hashes --requirement requirements.lock \
 && python -m pip --python /opt/burstd/bin/python install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && python -m pip --python /opt/burstd/bin/python install --no-cache-dir --no-deps dist/*.whl

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="burstd" \
      org.opencontainers.image.description="An autoscaling controller that runs beside HAProxy" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN python -m pip uninstall --yes pip \
 && groupadd --system --gid 10001 burstd \
 && useradd --system --uid 10001 --gid burstd --home-dir /var/lib/burstd --shell /usr/sbin/nologin burstd \
 && install --directory --owner burstd --group burstd --mode 0700 /var/lib/burstd \
 && install --directory --owner burstd --group burstd --mode 0750 /run/burstd
COPY --from=build /opt/burstd /opt/burstd
ENV PATH=/opt/burstd/bin:$PATH PYTHONUNBUFFERED=1
USER burstd
VOLUME /var/lib/burstd
# /healthz answers 503 once the last finished cycle is too old.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9123/healthz', timeout=4)"]
ENTRYPOINT ["burstd"]
CMD ["run", "--config", "/etc/burstd/burstd.toml"]
