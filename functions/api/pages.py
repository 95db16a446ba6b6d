"""The page that a borrower sees on returning from the tax bureau."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import Environment

from api.negotiation import Language
from creditmesh.platform.web import HTML, Reply

_PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="{{ language }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 1.05rem/1.6 system-ui, sans-serif; color: #1c2733; }
main { margin: 12vh auto; max-width: 34rem; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; border-left: .3rem solid {{ "#1a7f4b" if good else "#b3541e" }}; padding-left: .8rem; }
</style>
</head>
<body><main><h1>{{ title }}</h1>{% for line in lines %}<p>{{ line }}</p>{% endfor %}</main></body>
</html>
""")

_Words = tuple[str, list[str]]

_TEXTS: dict[str, dict[Language, _Words]] = {
    "granted": {
        "en": (
            "Thank you, access has been granted",
            [
                "Your application goes on by itself: your tax data is collected now and assessed.",
                "You may close this page and go back to your application. Offers that fit will appear there.",
            ],
        ),
        "zh-CN": (
            "授权成功",
            [
                "您的申请将自动继续:平台正在采集涉税数据并进行评估。",
                "您可以关闭本页,返回申请查看进度;匹配的产品会显示在那里。",
            ],
        ),
    },
    "denied": {
        "en": (
            "Access was not granted",
            [
                "Without it we cannot assess the firm. Nothing was read.",
                "Your application waits; you may try again there.",
            ],
        ),
        "zh-CN": (
            "您未同意授权",
            ["没有授权,平台无法评估企业;未读取任何数据。", "您的申请仍在等待,可返回申请重新授权。"],
        ),
    },
    "elsewhere": {
        "en": (
            "This was not begun in this browser",
            [
                "Access to tax data is granted only from the browser in which the application was opened.",
                "If somebody sent you the link: nothing was taken over. Neither pass on nor follow such links.",
                "If it is your own application, open it in this browser and start again there.",
            ],
        ),
        "zh-CN": (
            "授权不是在此浏览器中发起的",
            [
                "涉税数据授权只能在打开申请的同一浏览器中完成。",
                "如果链接由他人发来:平台未接收任何数据。请勿转发或打开此类链接。",
                "如果是您本人的申请,请在此浏览器中打开申请后重新发起授权。",
            ],
        ),
    },
    "settled": {
        "en": (
            "The application does not wait for this",
            [
                "The authorisation has been received already, or the application has moved on or ended.",
                "Go back to your application to see where it stands.",
            ],
        ),
        "zh-CN": ("申请目前不需要授权", ["授权已收到,或申请已进入下一步或已结束。", "请返回申请查看进度。"]),
    },
    "invalid": {
        "en": (
            "This link cannot be used",
            [
                "It is incomplete, has run out, or belongs to another firm.",
                "Go back to your application and start again.",
            ],
        ),
        "zh-CN": ("链接无效", ["链接不完整、已过期,或不属于该企业。", "请返回申请重新开始。"]),
    },
    "failed": {
        "en": ("Something went wrong on our side", ["Please load this page again in a minute."]),
        "zh-CN": ("系统暂时不可用", ["请稍后刷新本页重试。"]),
    },
}

_TEXT_OF_CODE = {"other_browser": "elsewhere"}
_TEXT_OF = {200: "granted", 403: "denied", 404: "invalid", 409: "settled", 422: "invalid"}


def authorization_page(status: int, language: Language, headers: Mapping[str, str], code: str | None = None) -> Reply:
    """The page for a status and problem of the return; it shows nothing from the request."""
    kind = _TEXT_OF_CODE.get(code or "") or _TEXT_OF.get(status, "failed")
    title, lines = _TEXTS[kind][language]
    page = _PAGE.render(language=language, title=title, lines=lines, good=kind == "granted")
    return Reply(status, page, HTML, {**headers, "content-language": language})
