"""Words of the model of the public loans: names of the features and reasons of a decision, in Chinese and English.

Standard codes as in ``models.origination_texts`` (12 CFR 1002.107(a)(11)).
"""

from __future__ import annotations

#: feature -> (type, unit, whose data, Chinese, English); the columns are argued in docs/explanation/training-data.md.
FEATURES: dict[str, tuple[str, str, str, str, str]] = {
    "state": ("string", "none", "borrower", "企业所在州", "State of the firm"),
    "industry_sector": ("string", "none", "borrower", "行业门类 (NAICS)", "Industry, NAICS sector"),
    "industry_group": ("string", "none", "borrower", "行业小类 (NAICS三位)", "Industry, three digits of NAICS"),
    "employees": ("integer", "count", "borrower", "员工人数", "Employees"),
    "new_business": ("boolean", "none", "borrower", "是否新设企业", "New business"),
    "franchise": ("boolean", "none", "borrower", "是否特许经营", "Franchise"),
    "revolving": ("boolean", "none", "borrower", "是否循环额度", "Revolving line of credit"),
    "approved_minor": ("integer", "minor", "system", "批准金额", "Amount the lender means to approve"),
    "guaranteed_bps": ("integer", "bps", "third_party", "担保比例", "Share guaranteed"),
    "bank_same_state": ("boolean", "none", "system", "银行与企业同州", "Bank in the firm's state"),
}

#: feature -> reason when it loses points.
REASON_OF: dict[str, str] = {
    "state": "REGION_RISK",
    "industry_sector": "INDUSTRY_RISK",
    "industry_group": "INDUSTRY_RISK",
    "employees": "NUMBER_OF_EMPLOYEES",
    "new_business": "SHORT_HISTORY",
    "franchise": "FRANCHISE",
    "revolving": "KIND_OF_CREDIT",
    "approved_minor": "AMOUNT",
    "guaranteed_bps": "GUARANTEED_SHARE",
    "bank_same_state": "LENDER_AFAR",
}

#: code -> (Chinese, English, standard adverse-action code)
REASONS: dict[str, tuple[str, str, str]] = {
    "REGION_RISK": ("企业所在州的违约率偏高", "Loans in the firm's state failed more often", "977"),
    "INDUSTRY_RISK": ("所处行业风险偏高", "The line of business carries a higher risk", "1"),
    "NUMBER_OF_EMPLOYEES": (
        "员工规模相近的企业违约率偏高",
        "Firms with such a number of employees failed more often",
        "1",
    ),
    "SHORT_HISTORY": ("企业为新设企业", "The firm is new", "6"),
    "FRANCHISE": ("特许经营情况带来的风险偏高", "Being a franchise, or none, carries a higher risk here", "1"),
    "KIND_OF_CREDIT": ("该类授信方式的违约率偏高", "Credit of this kind failed more often", "977"),
    "AMOUNT": ("该金额区间的贷款违约率偏高", "Loans of this amount failed more often", "977"),
    "GUARANTEED_SHARE": ("该担保比例下的违约率偏高", "Loans with such a guaranteed share failed more often", "5"),
    "LENDER_AFAR": ("银行与企业不在同一州", "The bank is not in the firm's state", "977"),
    "DATA_NOT_AVAILABLE": ("评分所需的部分数据无法取得", "Some data that the score rests on is not available", "9"),
    "KEY_DATA_INCOMPLETE": (
        "审核所需的关键数据不完整",
        "Data that the assessment cannot do without is not available",
        "9",
    ),
    "GUARANTEE_IMPLAUSIBLE": ("担保比例超出0至100%", "The guaranteed share is not between 0 and 100 %", "9"),
    "FULLY_GUARANTEED": (
        "全额担保贷款属于其他计划，模型未学习过，需人工审核",
        "The model has not learnt from loans guaranteed in full; a person has to look",
        "977",
    ),
    "EMPLOYEES_IMPLAUSIBLE": (
        "员工人数超出小企业范围，需人工核实",
        "No small firm has such a number of employees; a person has to look",
        "9",
    ),
    "LARGE_LOAN": (
        "金额超过200万美元，需人工审核",
        "The amount is above USD 2,000,000; a person has to look",
        "8",
    ),
    "PRICE_ABOVE_CAP": ("按风险定价的利率超过上限", "The rate that the risk asks for is above the cap", "1"),
    "LIMIT_BY_AMOUNT": ("额度不超过拟批准金额", "The limit is bound by the amount meant to be approved", "977"),
    "LIMIT_BY_CAP": ("已达单户授信上限", "The limit is bound by the most lent to one borrower", "8"),
    "LIMIT_BELOW_FLOOR": (
        "测算额度低于最低放款额1,000美元",
        "The limit worked out is below the least loan of USD 1,000",
        "977",
    ),
}
