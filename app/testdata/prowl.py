# Asks as the Python clients of Prowl do, with requests, and reads the answers as they do.
import json
import os

import requests

URL, KEY = os.environ["PICKET_HTTP_URL"], os.environ["PICKET_KEY"]
LINES = ["51.89.153.112", "8.8.8.8", "", "2a00::1", "nonsense", ""]


def get(path, ip, key=KEY):
    return requests.get(URL + path + "?ip=" + ip, headers={"x-api-key": key}, timeout=10)


def batch(ip):
    """The example for lists: a call for each line of a file, empty ones too."""
    answer = get("/live/GetIPReputation", ip)
    return [ip, answer.ok and answer.json()["ttps"] is not None]


def analyzer(ip):
    """The analyzer of TheHive's Cortex: exactly 200, and the first label."""
    answer = get("/GetIPReputation", ip)
    if answer.status_code != 200:
        return answer.status_code
    labels = answer.json().get("ttps", [])
    return ["malicious", labels[0]] if labels else ["safe", "No known malicious activity"]


def blocker(ip, key=KEY):
    """The example for web servers: it looks at no status, and evaluates the body as Python."""
    try:
        return eval(get("/GetIPReputation", ip, key).text)["ttps"]
    except KeyError:
        return "KeyError"


def plugin(ip):
    """The plugin for WordPress, which is PHP: exactly 200, and labels that are texts."""
    answer = get("/GetIPReputation", ip)
    assert answer.status_code == 200
    return ", ".join(json.loads(answer.content)["ttps"])


print(json.dumps({
    "batch": [batch(ip) for ip in LINES],
    "analyzer": [analyzer(ip) for ip in LINES],
    "blocker": [blocker("51.89.153.112"), blocker("8.8.8.8"), blocker("10.0.0.1"), blocker("8.8.8.8", "wrong")],
    "plugin": [plugin(ip) for ip in ["51.89.153.112", "2a00::1", "::1"]],
}))
