"""JSON Web Tokens made with openssl alone: RS256 and ES256, and the key sets that go with them (RFC 7515, 7517, 7518)."""

import base64
import json
import pathlib
import subprocess
import time


def encoded(data):
    """Base64url without padding."""
    if not isinstance(data, bytes):
        data = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*words, input=None):
    return subprocess.run(["openssl", *words], input=input, capture_output=True, check=True, timeout=30).stdout


def raw_signature(der):
    """ECDSA P-256: the two integers of the DER sequence, 32 bytes each (RFC 7518 section 3.4)."""
    numbers, place = [], 2
    for _ in range(2):
        length = der[place + 1]
        numbers.append(int.from_bytes(der[place + 2:place + 2 + length], "big"))
        place += 2 + length
    return b"".join(number.to_bytes(32, "big") for number in numbers)


class Issuer:
    """Somebody who signs tokens, with keys in a folder."""

    def __init__(self, folder, name="https://issuer.example"):
        self.name = name
        self.files = {kind: str(pathlib.Path(folder, f"{len(list(pathlib.Path(folder).iterdir()))}-{kind}.pem"))
                      for kind in ("RS256", "ES256")}
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.files["RS256"])
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.files["ES256"])

    def key_set(self):
        modulus = openssl("rsa", "-in", self.files["RS256"], "-modulus", "-noout").decode().strip().split("=")[1]
        # The last 65 bytes of the key's information are 4, x and y.
        point = openssl("pkey", "-in", self.files["ES256"], "-pubout", "-outform", "DER")[-64:]
        return json.dumps({"keys": [
            {"kty": "RSA", "kid": "r", "alg": "RS256", "use": "sig", "e": "AQAB", "n": encoded(bytes.fromhex(modulus))},
            {"kty": "EC", "kid": "e", "alg": "ES256", "use": "sig", "crv": "P-256",
             "x": encoded(point[:32]), "y": encoded(point[32:])},
        ]})

    def token(self, algorithm="RS256", seconds=600, **claims):
        head = {"alg": algorithm, "typ": "JWT", "kid": {"RS256": "r", "ES256": "e"}.get(algorithm, "r")}
        now = int(time.time())
        body = {"iss": self.name, "sub": "alice", "iat": now, "exp": now + seconds, **claims}
        signed = f"{encoded(head)}.{encoded(body)}"
        if algorithm == "none":
            return signed + "."
        signature = openssl("dgst", "-sha256", "-sign", self.files[algorithm], input=signed.encode())
        return f"{signed}.{encoded(raw_signature(signature) if algorithm == 'ES256' else signature)}"
