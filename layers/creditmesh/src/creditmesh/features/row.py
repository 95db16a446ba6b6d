"""Columns of the clean row, by section; none identifies a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from creditmesh.features import schema
from creditmesh.features.answer import MAX_ROWS
from creditmesh.features.schema import Column, Section, Values, ddl

WINDOW = 24
FILING_YEARS = 5

# Known for every row; supplied by the platform itself.
TOP = (
    Column("as_of", "day", "the day the windows are counted from", ()),
    Column("as_of_month", "month", "its month, which is never part of a window of full months", ()),
    Column("blacklist_hits", "count", "entries on blacklists that match the firm", ("screening.blacklist_hits",)),
    Column("requested_amount_minor", "amount", "the amount applied for", ("application.requested_amount_minor",)),
    Column("requested_term_months", "count", "the term applied for", ("application.requested_term_months",)),
    Column("greylist_hits", "count", "entries on grey lists that match the firm", ("screening.greylist_hits",)),
    Column("whitelist_hits", "count", "entries on white lists that match the firm", ("screening.whitelist_hits",)),
    Column("blacklist_name_score_bps", "count", "how alike the firm's name and the most similar blacklisted one are",
           ("screening.blacklist_name_score_bps",)),
    Column("greylist_name_score_bps", "count", "how alike the firm's name and the most similar greylisted one are",
           ("screening.greylist_name_score_bps",)),
)  # fmt: skip

_TAX = (
    Section(
        "tax_basics", "tax", "the taxpayer's standing",
        (
            Column("status", "word", "standing", ("basics.status",), schema.TAXPAYER_STATUSES),
            Column("credit_rating", "word", "tax credit rating", ("basics.credit_rating",), schema.CREDIT_RATINGS),
            Column("registered_on", "day", "tax registration", ("basics.registered_on",)),
        ),
    ),
    Section(
        "statements", "tax", "financial statements of the 24 months up to the latest, oldest first, none overlapping",
        (
            Column("first", "month", "first month covered", ("statements[*].period_end", "statements[*].months"),
                   always=True),
            Column("last", "month", "last month covered", ("statements[*].period_end",), always=True),
            Column("months", "small", "months covered", ("statements[*].months",), always=True),
            Column("year", "small", "0: within the 12 months up to the latest statement, 1: within the 12 before, "
                   "2: in both", ("statements[*].period_end", "statements[*].months"), always=True),
            Column("revenue", "signed", "revenue of the period", ("statements[*].revenue",)),
            Column("profit", "signed", "profit of the period", ("statements[*].profit",)),
            Column("operating_cash_flow", "signed", "operating cash flow", ("statements[*].operating_cash_flow",)),
            Column("total_assets", "amount", "at the period's end", ("statements[*].total_assets",)),
            Column("current_assets", "amount", "at the period's end", ("statements[*].current_assets",)),
            Column("total_liabilities", "amount", "at the period's end", ("statements[*].total_liabilities",)),
            Column("current_liabilities", "amount", "at the period's end", ("statements[*].current_liabilities",)),
        ), WINDOW,
    ),
    Section(
        "payments", "tax", "one tax of one period",
        (
            Column("tax_type", "word", "tax", ("payments[*].tax_type",), schema.TAX_TYPES,
                   always=True),
            Column("period", "month", "period it is owed for", ("payments[*].period",), always=True),
            Column("amount", "signed", "tax owed; negative: refunded", ("payments[*].amount",)),
            Column("paid", "flag", "paid by the as-of day", ("payments[*].paid_on",)),
            Column("late", "flag", "paid after its due date, or not paid when that has passed",
                   ("payments[*].due_on", "payments[*].paid_on")),
            Column("days_late", "days", "days after the due date, to the payment or the as-of day",
                   ("payments[*].due_on", "payments[*].paid_on")),
        ), MAX_ROWS,
    ),
    Section(
        "invoices", "tax", "the 24 full months before the as-of day, oldest first; a month without a row has none",
        (
            Column("month", "month", "month", ("invoices[*].month",), always=True),
            Column("lived", "flag", "not before the month of tax registration (every month where that is unknown)",
                   ("basics.registered_on",), always=True),
            Column("active", "flag", "has an invoice", ("invoices[*].count", "invoices[*].amount")),
            Column("count", "count", "invoices", ("invoices[*].count",)),
            Column("void_count", "count", "void ones among them", ("invoices[*].void_count",)),
            Column("amount", "signed", "invoiced, less credit notes", ("invoices[*].amount",)),
            Column("customer_count", "count", "customers", ("invoices[*].customer_count",)),
            Column("top_customer_amount", "signed", "of the largest customer", ("invoices[*].top_customer_amount",)),
        ), WINDOW,
    ),
)  # fmt: skip

_REGISTRY = (
    Section(
        "registration", "registry", "the firm as registered",
        (
            Column("status", "word", "standing", ("registration.status",), schema.REGISTRATION_STATUSES),
            Column("industry", "text", "section letter and division of GB/T 4754", ("registration.industry",)),
            Column("established_on", "day", "establishment", ("registration.established_on",)),
            Column("registered_capital", "amount", "registered capital", ("registration.registered_capital",)),
        ),
    ),
    Section(
        "filings", "registry", "the last 5 years whose annual report is due (by 30 June), from establishment on",
        (
            Column("year", "count", "year", ("registration.established_on",), always=True),
            Column("filed", "flag", "filed by the as-of day", ("filings[*].year", "filings[*].filed_on"), always=True),
            Column("insured_employees", "count", "insured employees, as the report filed tells",
                   ("filings[*].year", "filings[*].filed_on", "filings[*].insured_employees")),
        ), FILING_YEARS,
    ),
    Section(
        "changes", "registry", "changes of the registration",
        (
            Column("kind", "word", "what changed", ("changes[*].kind",), schema.CHANGES),
            Column("on", "day", "day", ("changes[*].on",)),
        ), MAX_ROWS,
    ),
    Section(
        "pledges", "registry", "pledges of the firm's shares or goods",
        (
            Column("active", "flag", "registered and not released on the as-of day",
                   ("pledges[*].registered_on", "pledges[*].released_on")),
            Column("amount", "amount", "amount secured", ("pledges[*].amount",)),
        ), MAX_ROWS,
    ),
    Section(
        "operations", "registry", "the list of abnormal operations",
        (Column("abnormal_listed", "flag", "listed", ("operations.abnormal_listed",)),),
    ),
    Section(
        "penalties", "registry", "administrative penalties",
        (
            Column("on", "day", "day", ("penalties[*].on",)),
            Column("amount", "amount", "fine", ("penalties[*].amount",)),
        ), MAX_ROWS,
    ),
)  # fmt: skip

_COURTS = (
    Section(
        "cases", "judicial", "court cases",
        (
            Column("role", "word", "the firm's part", ("cases[*].role",), schema.ROLES),
            Column("kind", "word", "kind of case", ("cases[*].kind",), schema.CASES),
            Column("filed_on", "day", "filed", ("cases[*].filed_on",)),
            Column("claim_amount", "amount", "claim", ("cases[*].claim_amount",)),
            Column("open", "flag", "filed and not closed on the as-of day",
                   ("cases[*].filed_on", "cases[*].closed_on", "cases[*].status")),
        ), MAX_ROWS,
    ),
    Section(
        "enforcement", "judicial", "enforcement against the firm",
        (
            Column("filed_on", "day", "filed", ("enforcement[*].filed_on",)),
            Column("amount", "amount", "amount to be enforced", ("enforcement[*].amount",)),
            Column("status", "word", "terminated: ended for want of assets", ("enforcement[*].status",),
                   schema.ENFORCEMENT_STATUSES),
        ), MAX_ROWS,
    ),
    Section(
        "dishonest_debtor", "judicial", "the courts' list of dishonest debtors",
        (Column("listed", "flag", "listed on the as-of day",
                ("dishonest_debtor.listed", "dishonest_debtor.listed_on", "dishonest_debtor.removed_on")),),
    ),
)  # fmt: skip

_BUREAU = (
    Section(
        "accounts", "credit_bureau", "credit accounts",
        (
            Column("kind", "word", "kind of credit", ("accounts[*].kind",), schema.ACCOUNTS),
            Column("lender", "text", "lender", ("accounts[*].lender",)),
            Column("opened_on", "day", "opened", ("accounts[*].opened_on",)),
            Column("open", "flag", "opened and not closed on the as-of day",
                   ("accounts[*].opened_on", "accounts[*].closed_on")),
            Column("credit_limit", "amount", "limit", ("accounts[*].credit_limit",)),
            Column("balance", "amount", "outstanding", ("accounts[*].balance",)),
            Column("monthly_payment", "amount", "due each month", ("accounts[*].monthly_payment",)),
            Column("overdue_amount", "amount", "overdue", ("accounts[*].overdue_amount",)),
            Column("worst_months", "small", "worst months past due, 24m", ("accounts[*].worst_months_past_due_24m",)),
        ), MAX_ROWS,
    ),
    Section(
        "overdue", "credit_bureau", "one month in which an account was overdue",
        (
            Column("month", "month", "month", ("overdue[*].month",), always=True),
            Column("days_past_due", "days", "days past due", ("overdue[*].days_past_due",)),
            Column("amount", "amount", "overdue", ("overdue[*].amount",)),
        ), MAX_ROWS,
    ),
    Section(
        "enquiries", "credit_bureau", "enquiries about the firm",
        (
            Column("on", "day", "day", ("enquiries[*].on",)),
            Column("reason", "word", "reason", ("enquiries[*].reason",), schema.ENQUIRIES),
        ), MAX_ROWS,
    ),
)  # fmt: skip

_SHOP = (
    Section(
        "shop", "shop", "the firm's shop on a trading platform",
        (
            Column("opened_on", "day", "opened", ("shop.opened_on",)),
            Column("status", "word", "standing", ("shop.status",), schema.SHOP_STATUSES),
        ),
    ),
    Section(
        "orders", "shop", "the 24 full months before the as-of day, oldest first; a month without a row has none",
        (
            Column("month", "month", "month", ("orders[*].month",), always=True),
            Column("lived", "flag", "after the month of opening (every month where that is unknown)",
                   ("shop.opened_on",), always=True),
            Column("count", "count", "orders", ("orders[*].count",)),
            Column("amount", "signed", "ordered, less what was taken back", ("orders[*].amount",)),
            Column("cancelled_count", "count", "cancelled ones among them", ("orders[*].cancelled_count",)),
        ), WINDOW,
    ),
    Section(
        "refunds", "shop", "one month's refunds",
        (
            Column("month", "month", "month", ("refunds[*].month",), always=True),
            Column("count", "count", "refunds", ("refunds[*].count",)),
            Column("amount", "signed", "refunded, less what was taken back", ("refunds[*].amount",)),
        ), MAX_ROWS,
    ),
    Section(
        "ratings", "shop", "one month's ratings by customers",
        (
            Column("month", "month", "month", ("ratings[*].month",), always=True),
            Column("average_x100", "small", "average × 100, from 0 to 500; 0 of a month without a rating",
                   ("ratings[*].average",)),
            Column("count", "count", "ratings", ("ratings[*].count",)),
        ), MAX_ROWS,
    ),
)  # fmt: skip

_PEOPLE = (
    Section(
        "degrees", "education", "the legal representative's degrees by the as-of day",
        (
            Column("rank", "small", "1 secondary, 2 associate, 3 bachelor, 4 master, 5 doctor", ("degrees[*].level",)),
            Column("verified", "flag", "confirmed by the register", ("degrees[*].verified",)),
        ), MAX_ROWS,
    ),
    Section(
        "fraud", "anti_fraud", "the anti-fraud service's verdict",
        (
            Column("score", "small", "0 to 1,000, high is suspicious", ("score",)),
            Column("level", "word", "level", ("level",), schema.LEVELS),
        ),
    ),
    Section(
        "fraud_hits", "anti_fraud", "what the service found",
        (
            Column("severity", "word", "severity", ("hits[*].severity",), schema.LEVELS),
            Column("on", "day", "day", ("hits[*].on",)),
        ), MAX_ROWS,
    ),
)  # fmt: skip

SECTIONS: tuple[Section, ...] = (*_TAX, *_REGISTRY, *_COURTS, *_BUREAU, *_SHOP, *_PEOPLE)
BY_NAME: Mapping[str, Section] = {section.name: section for section in SECTIONS}
TOP_BY_NAME: Mapping[str, Column] = {column.name: column for column in TOP}
SOURCES: tuple[str, ...] = tuple(dict.fromkeys(section.source for section in SECTIONS))
DDL = ddl(SECTIONS, TOP)


def _getter(columns: Sequence[Column]) -> Callable[[Values], tuple[Any, ...]]:
    names = [column.name for column in columns]
    if len(names) == 1:
        only = names[0]
        return lambda values: (values[only],)
    return itemgetter(*names)


_TUPLES = tuple((section.name, section.is_list, _getter(section.columns)) for section in SECTIONS)
_TOP = _getter(TOP)


def as_tuple(row: Values | None) -> tuple[Any, ...]:
    """A clean row as nested tuples in the order of ``DDL``, as Spark takes it; all nulls without a row."""
    if row is None:
        return (None,) * (len(TOP) + len(SECTIONS))
    parts: list[Any] = list(_TOP(row))
    for name, is_list, getter in _TUPLES:
        value = row[name]
        parts.append(None if value is None else [getter(one) for one in value] if is_list else getter(value))
    return tuple(parts)
