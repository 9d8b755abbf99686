#!/usr/bin/env bash
# Installs what is missing to run, build and test mcugen from this checkout, and nothing twice:
#   1. system packages (cross compiler, emulator, host compiler), with apt;
#   2. .venv (or the folder that VENV names), with the exact Python packages of requirements/lock.txt and mcugen itself, editable.
# Asks nothing. Quick when everything is there. PYTHON=... chooses the interpreter of a new .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

python_works() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
    >/dev/null 2>&1
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.10; do
    if python_works "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

missing_packages() {
  if ! command -v arm-none-eabi-gcc >/dev/null; then
    echo gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib
  else
    [[ "$(arm-none-eabi-gcc -print-file-name=nano.specs)" == /* ]] || echo libnewlib-arm-none-eabi
    # What the TFLM runtime emits is C++.
    [[ "$(arm-none-eabi-gcc -print-file-name=libstdc++_nano.a)" == /* ]] || echo libstdc++-arm-none-eabi-newlib
  fi
  [[ -f /usr/include/gemmlowp/fixedpoint/fixedpoint.h ]] || echo libgemmlowp-dev # tests compile TFLM's headers
  command -v qemu-system-arm >/dev/null || echo qemu-system-arm
  command -v riscv64-unknown-elf-gcc >/dev/null || echo gcc-riscv64-unknown-elf
  [[ "$(riscv64-unknown-elf-gcc -print-file-name=picolibc.specs 2>/dev/null)" == /* ]] || echo picolibc-riscv64-unknown-elf
  command -v qemu-system-riscv32 >/dev/null || echo qemu-system-misc
  echo '#include <stdio.h>' | cc -x c -fsyntax-only - 2>/dev/null || echo gcc libc6-dev
  # Tests look at the monitor's page. Ubuntu has Chromium as a snap only, which apt-get cannot give to everybody.
  command -v chromium chromium-browser google-chrome >/dev/null || ! grep -qx ID=debian /etc/os-release || echo chromium
  command -v g++ >/dev/null || echo g++ # tests compile the emitted headers as C++
  command -v espeak-ng >/dev/null || echo espeak-ng # tests speak wake words
  command -v ccache >/dev/null || echo ccache # tests compile much of it again and again
  # libFuzzer attacks the harness.
  echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null ||
    echo clang libclang-rt-dev
  command -v cmake >/dev/null || echo cmake # tests build exports
  command -v cppcheck >/dev/null || echo cppcheck # evidence: MISRA C:2012
  find_python >/dev/null || [[ -x "$venv/bin/python" ]] || echo python3 python3-venv
}

install_system_packages() {
  local packages sudo=()
  read -r -a packages <<<"$(missing_packages | tr '\n' ' ')"
  ((${#packages[@]})) || return 0
  command -v apt-get >/dev/null ||
    die "these are missing, and there is no apt-get to install them: ${packages[*]} (Debian's names). Install them and run this again."
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "missing: ${packages[*]}. Run as root: apt-get install ${packages[*]}"
    sudo=(sudo)
    [[ -t 0 ]] || sudo=(sudo -n)
  fi
  say "installing system packages with apt: ${packages[*]}"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  read -r -a packages <<<"$(missing_packages | tr '\n' ' ')"
  ((${#packages[@]} == 0)) || die "still missing after the installation: ${packages[*]}"
}

install_python_packages() {
  local stamp=$venv/mcugen-setup.stamp python wanted
  wanted=$(cat requirements/*.txt pyproject.toml | sha256sum)
  if [[ -x "$venv/bin/python" && "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]] && "$venv/bin/python" -c ''; then
    return 0
  fi
  if ! "$venv/bin/python" -c '' 2>/dev/null; then
    rm -rf "$venv"
    python=$(find_python) || die "no Python 3.10 to 3.13 with the venv module. Set PYTHON to one, or: apt-get install python3-venv"
    say "creating $venv with $("$python" --version)"
    "$python" -m venv "$venv"
  fi
  rm -f "$stamp"
  say "installing the locked Python packages into $venv (TensorFlow is large: the first time takes minutes)"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --no-deps -r requirements/lock.txt -r requirements/emulators.txt
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --no-build-isolation --editable .
  echo "$wanted" >"$stamp"
}

install_system_packages
install_python_packages
