# tools/quickstart, tools/test and tools/bundle source this file. The file has functions that install missing packages and build
# Squall.

squall_packages="gcc g++ cmake ninja-build pkg-config libopenblas-dev libcyaml-dev libyaml-dev libjansson-dev libstb-dev
libjpeg62-turbo-dev libxxhash-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev libgomp1 libjs-chart.js libmicrohttpd-dev"

# need_packages PACKAGE...: returns if all packages are installed. Otherwise installs the missing ones (on Debian as root), or prints
# the command that installs them and exits.
need_packages() {
    local missing="" package
    if ! command -v dpkg-query >/dev/null; then
        command -v cmake >/dev/null && command -v pkg-config >/dev/null && return 0 # cmake reports missing libraries
        echo "This system has no Debian packages. Install the equivalents of: $*" >&2
        exit 1
    fi
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        echo "Packages are missing. Run this, then start again:" >&2
        echo "    sudo apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    echo "installing:$missing"
    local log
    log=$(mktemp)
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -5 "$log" >&2
        echo "apt-get could not install:$missing" >&2
        exit 1
    fi
    rm -f "$log"
}

# build_squall FOLDER [cmake options]: configures and builds quietly; prints the log on failure.
build_squall() {
    local folder=$1 log
    shift
    log=$(mktemp)
    if ! { cmake -S "$root" -B "$folder" -G Ninja "$@" && cmake --build "$folder" -j "$(nproc)"; } >"$log" 2>&1; then
        tail -30 "$log" >&2
        echo "the build failed" >&2
        exit 1
    fi
    rm -f "$log"
}
