#!/usr/bin/env bash
# Makes a machine a node: the locked environment, the data, and on the head PostgreSQL.
#
#     setup.sh head|worker
#
# Harmless to run again. An image that has the environment already (see README.md) passes in a second.
set -euo pipefail

role=$1
# shellcheck source=/dev/null
. "$HOME/.sdd-study.env"
code=$(cd "$(dirname "$0")/.." && pwd)
venv=$HOME/sdd-venv
stamp=$HOME/.sdd-venv-lock
lock=$(sha256sum "$code/requirements.lock" | cut -d ' ' -f 1)

have() { command -v "$1" >/dev/null; }

apt_install() {
    for _ in 1 2 3 4 5 6; do # unattended upgrades hold the lock after a boot
        sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" && return
        sleep 20
    done
    return 1
}

if [ ! -x "$venv/bin/ray" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$lock" ]; then
    have pip3 || apt_install python3-pip
    have "$HOME/.local/bin/uv" || pip3 install --quiet --user 'uv>=0.9'
    "$HOME/.local/bin/uv" venv --quiet --clear --python 3.11 "$venv"
    "$HOME/.local/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r "$code/requirements.lock"
    echo "$lock" >"$stamp"
fi

imds=http://169.254.169.254/latest
if [ -n "${SDD_BUCKET:-}" ] && ! grep -q AWS_DEFAULT_REGION "$HOME/.sdd-study.env"; then
    token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$imds/api/token")
    region=$(curl -sf -H "X-aws-ec2-metadata-token: $token" "$imds/meta-data/placement/region")
    echo "export AWS_DEFAULT_REGION=$region" >>"$HOME/.sdd-study.env"
fi

if [ "$role" = head ]; then
    touch "$HOME/.sdd-head"
    if ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
        apt_install postgresql
        sudo systemctl disable --now postgresql # head.py runs one of its own, on a socket alone
    fi
fi

source_line=". $code/cluster/env.sh"
for file in "$HOME/.bashrc" "$HOME/.profile"; do
    touch "$file"
    grep -qxF "$source_line" "$file" || printf '%s\n%s\n' "$source_line" "$(cat "$file")" >"$file"
done

mkdir -p "$HOME/data"
ln -sfn "$HOME/data" "$code/data"
# shellcheck source=/dev/null
. "$code/cluster/env.sh"
if [ -n "${SDD_BUCKET:-}" ]; then
    "$venv/bin/python" "$code/cluster/stage.py" "s3://$SDD_BUCKET/data" "$HOME/data"
fi
