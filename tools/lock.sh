#!/usr/bin/env bash
# Renews requirements/lock.txt: one lock with hashes for Python 3.10 to 3.13, from pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
uv pip compile --quiet --upgrade --universal --python-version 3.10 --extra tf --extra dask --extra web --extra parquet --group dev \
  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
  --custom-compile-command tools/lock.sh -o requirements/lock.txt pyproject.toml
