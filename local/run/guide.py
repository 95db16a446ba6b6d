"""Addresses and ready-made commands."""

from __future__ import annotations

from collections.abc import Sequence

from run.platform import LocalPlatform
from run.results import Row


def guide(platform: LocalPlatform, rows: Sequence[Row]) -> str:
    """Addresses and commands; the token comes from a file, so that no shell history contains it."""
    api, token = platform.api_url, platform.places.token
    shown = next((row for row in rows if row.outcome == "disbursed"), next((row for row in rows if row.score), None))
    places = {
        "API": api,
        "OpenAPI": f"{api}/v1/openapi.json",
        "AWS endpoint": f"{platform.endpoint}   (any AWS client: AWS_ENDPOINT_URL; access key and secret «test»)",
        "Tax bureau": f"{platform.estate.url('tax-bureau')}/oauth/authorize?client_id=creditmesh",
        "": "(log in with a firm's taxpayer id; the password is «pw-» and the id's last six characters)",
        **{f"Books of {name}": f"{platform.estate.url(name)}/_ledger" for name in platform.estate.lenders},
        "Logs": str(platform.places.state_dir / "logs"),
    }
    lines = ["", *(f"{name:<27} {place}" for name, place in places.items())]
    if shown:
        bearer = f'-H "Authorization: Bearer $(cat {token})"'
        one = f"{api}/v1/applications/{shown.application_id}"
        lines += [
            "",
            "Try (as the business manager; the token is good for an hour):",
            f"  curl -s {bearer} {one}",
            f"  curl -s {bearer} {one}/timeline",
            f"  curl -s {bearer} -H 'Accept: text/html' '{one}/report?language=en' > report.html   # or language=zh-CN",
            f"  curl -s {bearer} '{api}/v1/applications?status=closed&limit=5'",
        ]
    lines += ["", "Tokens of other roles: make token ROLE=… (docs/how-to/call-the-api.md)"]
    return "\n".join(lines)
