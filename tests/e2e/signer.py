# SPDX-License-Identifier: MIT
"""A back end that signs tokens of its own: JSON Web Tokens, by Python's hmac and Debian's openssl, so by other code than Letterbox's."""

import base64
import hashlib
import hmac
import json
import subprocess
import time


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(document):
    return base64url(json.dumps(document, separators=(",", ":")).encode())


def claims(user, ttl=600, **more):
    now = int(time.time())
    return {"sub": user, "iat": now, "exp": now + ttl, **more}


class Secret:
    """A shared secret: HS256."""

    algorithm = "HS256"

    def __init__(self, directory, name, secret=b"a secret that is shared with nobody else"):
        self.secret = secret
        self.file = directory / name
        self.file.write_bytes(secret + b"\n")

    def sign(self, data):
        return hmac.new(self.secret, data, hashlib.sha256).digest()

    def token(self, document, **header):
        head = part({"alg": self.algorithm, "typ": "JWT", **header})
        body = part(document)
        return f"{head}.{body}.{base64url(self.sign(f'{head}.{body}'.encode()))}"


class KeyPair(Secret):
    """A private key of the back end's, of which Letterbox has the public half: RS256 or EdDSA."""

    def __init__(self, directory, name, algorithm):
        self.algorithm = algorithm
        self.private = directory / f"{name}.private"
        self.file = directory / name
        kind = {"EdDSA": ["-algorithm", "ED25519"], "RS256": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]}[algorithm]
        subprocess.run(["openssl", "genpkey", *kind, "-out", self.private], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", self.private, "-pubout", "-out", self.file], check=True, capture_output=True)

    def sign(self, data):
        if self.algorithm == "RS256":
            return subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.private], input=data, check=True, capture_output=True).stdout
        text = self.private.with_suffix(".data")
        text.write_bytes(data)  # openssl needs a file for a key that signs in one go
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in", text],
                              check=True, capture_output=True).stdout
