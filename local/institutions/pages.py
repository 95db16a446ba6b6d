"""The tax bureau's web pages: plain forms, no scripts, all external input escaped."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem;color:#1b2733}"
    "label{display:block;margin:.8rem 0}input,select{font:inherit;width:100%;padding:.4rem;box-sizing:border-box}"
    "button{font:inherit;padding:.5rem 1.2rem;margin-right:.6rem}.error{color:#a3171a}code{word-break:break-all}"
)
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def login_page(fields: dict[str, str], error: str | None = None, status_code: int = 200) -> HTMLResponse:
    """The login page; ``fields`` come from the query and are passed on with the form."""
    kept = "".join(_hidden(name, fields.get(name, "")) for name in ("client_id", "redirect_uri", "state"))
    message = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    return _page(
        "登录 · Log in",
        f"""<p><b>{escape(fields.get("client_id", ""))}</b> 请求读取贵公司的涉税数据。<br>
asks to read your company's tax data.</p>{message}
<form method="post" action="/oauth/login">{kept}
<label>纳税人识别号 · Taxpayer id
<input name="taxpayer_id" value="{escape(fields.get("taxpayer_id", ""))}" required autocomplete="username"></label>
<label>密码 · Password
<input name="password" type="password" required autocomplete="current-password"></label>
<button>登录 · Log in</button></form>""",
        status_code,
    )


def grant_page(session: str, firm_name: str, client_id: str) -> HTMLResponse:
    """The page for granting access and choosing the validity."""
    options = "".join(
        f'<option value="{days}"{" selected" if days == 365 else ""}>{label}</option>'
        for days, label in (
            (1, "1 天 · 1 day"),
            (30, "30 天 · 30 days"),
            (365, "1 年 · 1 year"),
            (1095, "3 年 · 3 years"),
        )
    )
    return _page(
        "授权 · Grant access",
        f"""<p><b>{escape(firm_name)}</b></p>
<p>允许 <b>{escape(client_id)}</b> 查询：登记信息、财务报表、纳税记录、发票。<br>
Let it read: registration, financial statements, tax payments, invoices.</p>
<form method="post" action="/oauth/grant">{_hidden("session", session)}
<label>有效期 · Valid for <select name="validity_days">{options}</select></label>
<button name="decision" value="allow">同意 · Allow</button>
<button name="decision" value="deny">拒绝 · Deny</button></form>""",
    )


def code_page(code: str, expires_at: str, taxpayer_id: str) -> HTMLResponse:
    """The code to copy, if there is no redirect."""
    return _page(
        "授权码 · Authorisation code",
        f"""<p>请复制授权码并交给服务方。Copy this code and give it to the service.</p>
<p>授权码 · Code: <code id="code">{escape(code)}</code></p>
<p>纳税人识别号 · Taxpayer id: <code id="taxpayer_id">{escape(taxpayer_id)}</code></p>
<p>有效期至 · Expires at: <code id="expires_at">{escape(expires_at)}</code></p>""",
    )


def message_page(title: str, message: str, status_code: int) -> HTMLResponse:
    return _page(title, f'<p role="alert">{escape(message)}</p>', status_code)


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def _page(title: str, body: str, status_code: int = 200) -> HTMLResponse:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    document = (
        f'<!doctype html><html lang="zh"><head>{head}<style>{_STYLE}</style></head>'
        f"<body><h1>电子税务局 · Tax bureau</h1><h2>{escape(title)}</h2>{body}</body></html>"
    )
    return HTMLResponse(document, status_code=status_code, headers=_HEADERS)
