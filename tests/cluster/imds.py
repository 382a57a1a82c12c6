"""A stand-in for EC2's instance metadata service, version 2: imds.py ROLE NOTICE_FILE, on 169.254.169.254:80.

Answers what a node of ours asks: a token, the role's credentials, the region, and the spot notice once
NOTICE_FILE exists (its text is the answer). Requests without a token are refused, as on the machines of
cluster/aws.yaml (HttpTokens: required).
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROLE, NOTICE = sys.argv[1], Path(sys.argv[2])
TOKEN = "a-token"
CREDENTIALS = {
    "Code": "Success",
    "Type": "AWS-HMAC",
    "AccessKeyId": "ASIALABLABLABLABLAB0",
    "SecretAccessKey": "lab",
    "Token": "lab",
    "LastUpdated": "2020-01-01T00:00:00Z",
    "Expiration": "2099-01-01T00:00:00Z",
}


class Metadata(BaseHTTPRequestHandler):
    """Answers one request."""

    def do_PUT(self) -> None:
        """A token."""
        self._answer(TOKEN if self.path == "/latest/api/token" else None)

    def do_GET(self) -> None:
        """A value, for who has a token."""
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self.send_response(401)
            self.end_headers()
            return
        path = self.path.removeprefix("/latest/meta-data/").rstrip("/")
        if path == "spot/instance-action":
            self._answer(NOTICE.read_text() if NOTICE.exists() else None)
        elif path == "placement/region":
            self._answer("us-west-2")
        elif path == "placement/availability-zone":
            self._answer("us-west-2a")
        elif path == "iam/security-credentials":
            self._answer(ROLE)
        elif path == f"iam/security-credentials/{ROLE}":
            self._answer(json.dumps(CREDENTIALS))
        else:
            self._answer(None)

    def _answer(self, text: str | None) -> None:
        body = (text or "").encode()
        self.send_response(200 if text is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


ThreadingHTTPServer(("169.254.169.254", 80), Metadata).serve_forever()
