# promotionctl alone, for action.yml: no daemon, no strategies.
FROM debian:12-slim AS build
COPY scripts/dependencies scripts/retry.sh /source/scripts/
RUN apt-get update -qq && /source/scripts/dependencies build
COPY . /source
RUN cmake -S /source -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPROMOTIOND_TESTS=OFF -DPROMOTIOND_BENCH=OFF \
    && ninja -C /build promotionctl && strip /build/bin/promotionctl

FROM debian:12-slim
RUN apt-get update -qq && apt-get install -qq --no-install-recommends ca-certificates libboost-json1.81.0 libgit2-1.5 \
        libpococrypto80 libpocofoundation80 libpocojson80 libpocojwt80 libpoconet80 libpoconetssl80 libpocoutil80 libspdlog1.10 libssh2-1 \
        libyaml-0-2 libyaml-cpp0.7 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/bin/promotionctl /usr/bin/promotionctl
COPY packaging/action/entrypoint.sh /usr/bin/promote
ENTRYPOINT ["/usr/bin/promote"]
