# The program alone, in an empty image.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=0.1.0 --tag homelab-helper .
#
# It is compiled on the builder's own platform for the wanted one, so that nothing is emulated. The standard library for
# musl brings its own C library along; the C code of a dependency (ring) needs a compiler, which clang is for any platform,
# and for amd64 the headers of musl.
FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.95-bookworm AS build
ARG TARGETARCH
RUN apt-get update && apt-get install --yes --no-install-recommends clang llvm musl-dev && rm -rf /var/lib/apt/lists/*
RUN ln -s /usr/include/*-linux-musl /usr/include/musl
WORKDIR /source
RUN case "$TARGETARCH" in \
      amd64) echo x86_64-unknown-linux-musl ;; \
      arm64) echo aarch64-unknown-linux-musl ;; \
      *) echo "there is no image for $TARGETARCH" >&2; exit 1 ;; \
    esac > /target && rustup target add "$(cat /target)"
ENV CC_x86_64_unknown_linux_musl=clang \
    CC_aarch64_unknown_linux_musl=clang \
    AR_x86_64_unknown_linux_musl=llvm-ar \
    AR_aarch64_unknown_linux_musl=llvm-ar \
    CFLAGS_x86_64_unknown_linux_musl="-nostdlibinc -isystem /usr/include/musl" \
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
# Registry and compiled dependencies are caches of the builder, which outlive this layer.
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,id=target-$TARGETARCH,target=/source/target \
    cargo build --release --locked --bin homelab-helper --target "$(cat /target)" && \
    cp "target/$(cat /target)/release/homelab-helper" /homelab-helper

FROM scratch
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="gateway-route-sync" \
      org.opencontainers.image.description="Keeps the listeners of Gateways equal to what the routes attached to them ask for" \
      org.opencontainers.image.source="https://github.com/benfiola/homelab-helper" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /homelab-helper /homelab-helper
# A number, so that the kubelet can see that it is not root.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/homelab-helper"]
CMD ["gateway-route-sync"]
