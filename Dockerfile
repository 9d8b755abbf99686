# mcugen with all that it needs: compilers, emulators and the locked Python packages.
#
#   docker build -t mcugen .
#   docker run --rm -v "$PWD:/work" mcugen deploy model.tflite --board mps2-an386
FROM debian:bookworm-slim

# What a checkout needs beside what tools/setup.sh installs. The distribution's security updates decide the versions.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git make \
 && rm -rf /var/lib/apt/lists/*

COPY . /opt/mcugen
# The same script that a checkout and CI run.
RUN /opt/mcugen/tools/setup.sh \
 && ln -s /opt/mcugen/.venv/bin/mcugen /usr/local/bin/mcugen \
 && rm -rf /var/lib/apt/lists/* /root/.cache

RUN useradd --create-home --uid 1000 mcugen
USER 1000
WORKDIR /work
ENTRYPOINT ["mcugen"]
CMD ["--help"]
