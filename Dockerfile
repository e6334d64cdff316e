# The image: one static program, the certificates that TLS is checked against, and nothing else.
#
#   docker build --tag registry.example.com/platform/usersync:0.1.0 .
FROM rust:1.94-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    cp "$(CARGO_TARGET_DIR=/target .ci/static)" /usersync
# Names are looked up in /etc/hosts first, where Kubernetes writes a pod's hostAliases.
RUN echo 'hosts: files dns' >/nsswitch.conf

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /nsswitch.conf /etc/nsswitch.conf
COPY --from=build /usersync /usersync
# Nobody's number: no file in the image belongs to it.
USER 65532:65532
ENTRYPOINT ["/usersync"]
