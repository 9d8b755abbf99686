#!/usr/bin/env bash
# Brings requirements/lock.txt up to pyproject.toml: one lock with hashes for Python 3.10 to 3.13. Versions that are
# locked already stay; --upgrade takes the newest of everything.
set -euo pipefail
cd "$(dirname "$0")/.."
uv pip compile --quiet "$@" --universal --python-version 3.10 --extra tf --extra dask --extra web --extra parquet --group dev \
  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
  --custom-compile-command tools/lock.sh -o requirements/lock.txt pyproject.toml
