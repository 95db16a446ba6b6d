"""Words and number formats of the assessment report (C16)."""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "zh-CN": {
        "title": "企业信贷评估报告",
        "approve": "通过",
        "decline": "拒绝",
        "application": "申请编号",
        "requested": "申请",
        "months": "个月",
        "decided_at": "决策时间",
        "score": "信用评分",
        "cutoff": "准入分数线",
        "not_scored": "未评分",
        "grade": "风险等级",
        "pd": "平均违约率",
        "rate": "年利率",
        "limit": "核定额度",
        "none": "无",
        "stage_blacklist": "在黑名单筛查阶段终止",
        "stage_admission": "未通过准入规则",
        "stage_score": "评分低于准入分数线",
        "stage_limit": "测算额度不足",
        "stage_approved": "已通过全部阶段",
        "reasons": "原因说明",
        "rules": "命中规则",
        "points": "评分明细",
        "base_points": "基础分",
        "total": "合计",
        "feature": "指标",
        "value": "数值",
        "bin": "分档",
        "points_column": "得分",
        "lost": "失分",
        "limit_steps": "额度测算",
        "binding": "起决定作用",
        "no_data": "无数据,不参与",
        "least": "最低值",
        "factor": "等级系数",
        "factored": "乘以系数后",
        "rounded": "按步长向下取整",
        "floor": "最低放款额",
        "sources": "数据来源",
        "source": "来源",
        "channel": "渠道",
        "source_outcome": "结果",
        "fetched_at": "获取时间",
        "digest": "原始数据摘要",
        "versions": "版本",
        "model": "模型",
        "model_hash": "模型摘要",
        "feature_schema": "关键数据版本",
        "engine": "计算引擎",
        "unknown": "未知",
        "yes": "是",
        "no": "否",
        "bin_missing": "无数据",
        "bin_other": "其他",
        "bin_true": "是",
        "bin_false": "否",
        "at_most": "不超过 {upper}",
        "below": "低于 {upper}",
        "between": "{lower} 至 {upper}",
        "from": "{lower} 及以上",
        "everything": "任意值",
    },
    "en": {
        "title": "Credit assessment report",
        "approve": "Approved",
        "decline": "Declined",
        "application": "Application",
        "requested": "Asked for",
        "months": "months",
        "decided_at": "Decided at",
        "score": "Credit score",
        "cutoff": "Least score accepted",
        "not_scored": "Not scored",
        "grade": "Risk grade",
        "pd": "Average default rate",
        "rate": "Annual rate",
        "limit": "Credit limit",
        "none": "None",
        "stage_blacklist": "Stopped by the blacklist",
        "stage_admission": "Admission rules not met",
        "stage_score": "Score below the least accepted",
        "stage_limit": "Limit too small to lend",
        "stage_approved": "Passed every stage",
        "reasons": "Reasons",
        "rules": "Rules that fired",
        "points": "How the score came about",
        "base_points": "Base points",
        "total": "Total",
        "feature": "Measure",
        "value": "Value",
        "bin": "Band",
        "points_column": "Points",
        "lost": "Points lost",
        "limit_steps": "How the limit came about",
        "binding": "decides",
        "no_data": "no data, left out",
        "least": "Least of these",
        "factor": "Grade factor",
        "factored": "Times the factor",
        "rounded": "Rounded down to a step",
        "floor": "Least loan",
        "sources": "Data used",
        "source": "Source",
        "channel": "Channel",
        "source_outcome": "Outcome",
        "fetched_at": "Fetched at",
        "digest": "Digest of the raw answer",
        "versions": "Versions",
        "model": "Model",
        "model_hash": "Model digest",
        "feature_schema": "Key data version",
        "engine": "Engine",
        "unknown": "not known",
        "yes": "yes",
        "no": "no",
        "bin_missing": "No data",
        "bin_other": "Any other",
        "bin_true": "Yes",
        "bin_false": "No",
        "at_most": "at most {upper}",
        "below": "below {upper}",
        "between": "{lower} to {upper}",
        "from": "{lower} and more",
        "everything": "any value",
    },
}


def money(minor: int) -> str:
    """Return minor units as major ones with two decimals and thousands apart."""
    sign, minor = ("-" if minor < 0 else ""), abs(minor)
    return f"{sign}{minor // 100:,}.{minor % 100:02d}"


def format_value(value: int | str | bool | None, unit: str, language: str) -> str:
    """Return a feature's value as a reader of ``language`` wants it."""
    words = WORDS[language]
    if value is None:
        return words["unknown"]
    if isinstance(value, bool):
        return words["yes" if value else "no"]
    if isinstance(value, str):
        return value
    if unit == "minor":
        return money(value)
    if unit == "bps":
        return f"{money(value)}%"
    return f"{value:,} {words['months']}" if unit == "months" else f"{value:,}"


def bin_words(lower: int | None, upper: int | None, unit: str, language: str) -> str:
    """Return the range of a numeric bin in words; whole numbers name the last one that belongs to it."""
    words = WORDS[language]
    whole = unit not in ("minor", "bps")
    low = "" if lower is None else format_value(lower, unit, language)
    high = "" if upper is None else format_value(upper - 1 if whole else upper, unit, language)
    if lower is None:
        return words["everything"] if upper is None else words["at_most" if whole else "below"].format(upper=high)
    if upper is None:
        return words["from"].format(lower=low)
    return low if low == high else words["between"].format(lower=low, upper=high)
