"""Upload a film to Videoflix, wait until it can be watched, print the address of its stream.

python example_client.py http://localhost:8000 you@example.org PASSWORD rome.mp4
"""

import base64
import json
import sys
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urljoin

PIECE = 8 * 2**20
TUS = {"Tus-Resumable": "1.0.0"}

site, email, password, file = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


def ask(method, path, body=None, **headers):
    """The answer's headers and its JSON; errors are told in the words of the site."""
    if isinstance(body, dict):
        body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(urljoin(site, path), body, headers, method=method)
    try:
        with opener.open(request) as answer:
            return answer.headers, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        problem = json.loads(error.read())
        sys.exit(f"{problem['code']}: {problem['detail']} {problem['errors'] or ''}")


ask("POST", "/api/login/", {"email": email, "password": password})

film = Path(file)
size = film.stat().st_size
name = base64.b64encode(film.name.encode()).decode()
about = {"Upload-Length": str(size), "Upload-Metadata": f"filename {name}"}
place = ask("POST", "/api/uploads/", b"", **TUS, **about)[0]["Location"]
offset, kind = 0, {"Content-Type": "application/offset+octet-stream"}
with film.open("rb") as source:
    while offset < size:
        at = {"Upload-Offset": str(offset)}
        answer, _ = ask("PATCH", place, source.read(PIECE), **TUS, **kind, **at)
        offset = int(answer["Upload-Offset"])
        print(f"\rsent {offset / size:.0%}", end="", file=sys.stderr)

video = ask("GET", answer["Video-Location"])[1]
while not video["playable"]:
    if video["error"]:
        sys.exit(f"\n{video['error']['message']} {video['error']['hint']}")
    print(f"\rconverted {video['progress']:.0%}", end="", file=sys.stderr)
    time.sleep(1)
    video = ask("GET", f"/api/videos/{video['id']}/")[1]
print(file=sys.stderr)
print(ask("GET", f"/api/videos/{video['id']}/playback/")[1]["hls_url"])
