# The environment of every process on a node: its shells and Ray's start commands source this.
# ~/.sdd-study.env is written by `ray up`: SDD_BUCKET on AWS, SDD_SHARED, a folder, on machines of your own; with
# SDD_MPS=1 trials that share a GPU compute at once (mps.sh).
# shellcheck shell=bash source=/dev/null
[ -f "$HOME/.sdd-study.env" ] && . "$HOME/.sdd-study.env"

case ":$PATH:" in
    *":$HOME/sdd-venv/bin:"*) ;;
    *) export PATH="$HOME/sdd-venv/bin:$HOME/.local/bin:$PATH" ;;
esac
export RAY_AUTH_MODE=token                  # no call on any of Ray's ports without ~/.ray/auth_token
# A raylet waits 15 s for its agents to say which ports they have, and ends otherwise: on a machine that is busy while
# it starts they are late. Ports that are given spare two of the three waits, and are known to a firewall.
SDD_RAY_PORTS="--dashboard-agent-listen-port=52365 --dashboard-agent-grpc-port=52366"
export SDD_RAY_PORTS="$SDD_RAY_PORTS --runtime-env-agent-port=52367 --metrics-export-port=52368"
# A machine that is cut off gives up after 10 + 20 s and ends its trials (Ray's own settings take 3 minutes): until then
# they hold the files that whoever goes on with them elsewhere waits for.
export RAY_grpc_client_keepalive_timeout_ms=10000 RAY_gcs_rpc_server_reconnect_timeout_s=20
export SDD_DATA="$HOME/sdd-study"           # where relative data roots start: data/ there is staged by setup.sh
if [ -n "${SDD_BUCKET:-}" ]; then
    export SDD_STORE="${SDD_STORE:-s3://$SDD_BUCKET/store}"
    export SDD_BACKUP="${SDD_BACKUP:-s3://$SDD_BUCKET/backup}"
    export SDD_ARTIFACTS="${SDD_ARTIFACTS:-s3://$SDD_BUCKET/mlflow}"
fi
if [ -n "${SDD_SHARED:-}" ]; then
    export SDD_STORE="${SDD_STORE:-$SDD_SHARED/store}"
    export SDD_BACKUP="${SDD_BACKUP:-$SDD_SHARED/backup}"
    export SDD_ARTIFACTS="${SDD_ARTIFACTS:-$SDD_SHARED/mlflow}"
fi
if [ -f "$HOME/.sdd-head" ]; then
    export SDD_RESULTS="$HOME/sdd-study/results"
    export MLFLOW_TRACKING_URI=http://127.0.0.1:5000
    export SDD_OPTUNA_URL="postgresql+psycopg:///optuna?host=$HOME/sdd-head/run"
else
    export SDD_LEAVING=/tmp/sdd-study.leaving   # spot.py makes this file when the machine is about to go
fi
