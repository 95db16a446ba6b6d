"""The loan contract's text: parties, terms, and exact instalments."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

from institutions.tax_figures import money

_MONTHLY_BPS = 120_000


@dataclass(frozen=True)
class Instalment:
    """One month's payment, in fen."""

    number: int
    principal: int
    interest: int
    outstanding: int

    @property
    def amount(self) -> int:
        return self.principal + self.interest


def annuity(amount_fen: int, annual_rate_bps: int, term_months: int) -> list[Instalment]:
    """Equal monthly instalments; the last one includes the rounding differences."""
    with localcontext() as context:
        context.prec = 50
        rate = Decimal(annual_rate_bps) / _MONTHLY_BPS
        exact = amount_fen * rate / (1 - (1 + rate) ** -term_months) if rate else Decimal(amount_fen) / term_months
        level = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    rows: list[Instalment] = []
    outstanding = amount_fen
    for number in range(1, term_months + 1):
        interest = (2 * outstanding * annual_rate_bps + _MONTHLY_BPS) // (2 * _MONTHLY_BPS)
        principal = outstanding if number == term_months else min(outstanding, level - interest)
        outstanding -= principal
        rows.append(Instalment(number, principal, interest, outstanding))
    return rows


def contract_text(
    *,
    contract_id: str,
    lender_name: str,
    firm_name: str,
    taxpayer_id: str,
    amount_fen: int,
    currency: str,
    annual_rate_bps: int,
    term_months: int,
    drawn_up_at: str,
) -> str:
    """A readable contract; deterministic."""
    rows = annuity(amount_fen, annual_rate_bps, term_months)
    table = "\n".join(
        f"{row.number:>3}  {money(row.amount):>14}  {money(row.principal):>14}  "
        f"{money(row.interest):>12}  {money(row.outstanding):>14}"
        for row in rows
    )
    total, interest = sum(row.amount for row in rows), sum(row.interest for row in rows)
    return f"""LOAN CONTRACT 借款合同  {contract_id}
Drawn up 签订时间: {drawn_up_at}

Lender 贷款人: {lender_name}
Borrower 借款人: {firm_name}
  Taxpayer id 纳税人识别号: {taxpayer_id}

1. Amount 借款金额: {money(amount_fen)} {currency}
2. Interest 年利率: {annual_rate_bps // 100}.{annual_rate_bps % 100:02d} % a year, a twelfth of it each month
3. Term 期限: {term_months} months 个月, from the day of disbursement
4. Repayment 还款方式: equal monthly instalments 等额本息
5. The lender pays the amount once this contract is signed. 合同签署后放款。
6. The borrower may repay early without a fee. 可提前还款，不收取费用。

 No      Instalment       Principal      Interest     Outstanding
{table}
Total    {money(total):>12}  {money(amount_fen):>14}  {money(interest):>12}
"""
