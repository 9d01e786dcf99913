# Counterpart in a container: `docker run -p 8080:8080 -p 127.0.0.1:8090:8090 -p 127.0.0.1:8091:8091 counterpart` shows a
# working demo tenant, connected to a fake Lightspeed on port 8090, and a till for it on http://localhost:8091. With
# DEMO=0 the service runs alone. Without 127.0.0.1 in front of the last two, the whole network could send requests from
# the till and change the fake Lightspeed's orders: both are tools for one desk.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /source
# ./dev holds the one list of packages.
COPY dev ./
RUN ./dev setup run
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY base base
COPY ledger ledger
COPY store store
COPY runtime runtime
COPY oauth oauth
COPY lightspeed lightspeed
COPY handlers handlers
COPY service service
COPY mocks mocks
COPY web web
RUN cmake --workflow --preset release

FROM ${BASE}
RUN apt-get -q update \
    && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
        libh2o-evloop0.13 libssl3 libsqlite3-0 libglib2.0-0 libcurl4 libjwt0 libhiredis0.14 libpq5 \
        libmicrohttpd12 curl tzdata ca-certificates \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin counterpart \
    && install -d -o counterpart -g counterpart -m 0700 /data
COPY --from=build /source/build/release/counterpart /source/build/release/tillsim /usr/local/bin/
COPY --chmod=0755 docker/entrypoint.sh docker/health.sh mocks/demo/seed.sh /usr/local/lib/counterpart/

# The data directory holds the ledger and, unless COUNTERPART_MASTER_KEY says otherwise, the master key: keep it.
ENV COUNTERPART_LISTEN=0.0.0.0:8080 COUNTERPART_DATA=/data DEMO=1
USER counterpart
WORKDIR /data
VOLUME /data
EXPOSE 8080 8090 8091
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/lib/counterpart/health.sh"]
ENTRYPOINT ["/usr/local/lib/counterpart/entrypoint.sh"]
CMD ["serve"]
