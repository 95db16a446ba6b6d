"""Example bodies for the API's description, by operation and name; a test holds each to its schema and its rules."""

from __future__ import annotations

from typing import Any

_LOAN = {
    "firm": {
        "taxpayer_id": "91310000MA100013XP",
        "firm_name": "Morgenstern Bearings Ltd",
        "amount": "300000.00",
        "currency": "CNY",
        "term_months": 12,
        "purpose": "stock for the season",
        "flow_id": "tax",
    }
}
_CHANNEL = {
    "channel_id": "patent-office",
    "kind": "patents",
    "title": "Patent office",
    "institution": "patent-office",
    "transport": {"type": "rest", "method": "GET", "path": "/api/v1/patents/{{taxpayer_id}}"},
    "authentication": {"type": "api_key"},
    "response": {
        "refusals": [{"status": 404, "path": "error", "reasons": ["no_patents"], "outcome": "no_data"}],
        "schema": {"type": "object", "required": ["patents"], "properties": {"patents": {"type": "integer"}}},
    },
    "structure": {"rule": "{patents: patents}", "complete": ["patents"]},
    "cache_seconds": 3600,
}
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

KEY_EXAMPLE = "0d9a7c52b1e84f6c9b3a5e7f12468ace"

EXAMPLES: dict[str, dict[str, Any]] = {
    "apply": _LOAN,
    "apply_as_guest": _LOAN,
    "register_flow": {
        "season": {
            "flow_id": "season",
            "name": {"zh-CN": "季节性贷款", "en": "Season loan"},
            "model_id": "origination",
            "collection_plan": "standard",
            "ranking": {"cost": 30, "amount": 30, "speed": 40},
            "information": {
                "threshold_bps": 2500,
                "fields": [
                    {
                        "field_id": "season_start",
                        "kind": "date",
                        "label": {"zh-CN": "旺季开始日期", "en": "Start of the season"},
                        "weight": 2,
                    },
                    {
                        "field_id": "licence_number",
                        "kind": "taxpayer_id",
                        "label": {"zh-CN": "统一社会信用代码", "en": "Unified social credit code"},
                        "document": "business_licence",
                    },
                ],
            },
            "documents": ["business_licence"],
            "joint_lending": {"basis": "both", "criteria": ["capacity", "term"], "match": "all"},
            "valid_until": "2027-12-31",
        }
    },
    "assign_flow": {"in_force": {"flow_id": "tax"}, "seen": {"flow_id": "tax", "version": 2}},
    "bring_authorization": {
        "code": {"authorization_code": "ac_5f2c7d90b1e84a36", "expires_at": "2027-11-21T00:00:00Z", "state": None}
    },
    "give_consent": {
        "days": {"scope": "credit_bureau", "valid_days": 180, "text_version": "2026-11", "agreed": True},
        "until": {
            "scope": "shop",
            "until": "2027-05-31T00:00:00Z",
            "text_version": "2026-11",
            "language": "en",
            "agreed": True,
        },
    },
    "choose": {
        "offer": {"lender_id": "lender-a", "product_id": "season-credit"},
        "within": {
            "lender_id": "lender-a",
            "product_id": "season-credit",
            "version": 3,
            "amount": "250000.00",
            "term_months": 18,
            "repayment_method": "equal_principal",
        },
    },
    "reply_to_counter_offer": {
        "accept": {"action": "accept", "terms_sha256": _HASH},
        "decline": {"action": "decline"},
    },
    "inform": {"answer": {"answer": "Three wholesalers of our province, for six years."}},
    "take_lender_message": {
        "counter_offer": {
            "type": "loan.decision",
            "data": {
                "application_id": "app_57060d045cbaafeb0170d8b9bdbf",
                "decision": "countered",
                "lender_reference": "REF-2026-0815",
                "approved_amount": "240000.00",
                "currency": "CNY",
                "annual_rate_bps": 780,
                "term_months": 12,
                "valid_until": "2027-11-24T00:00:00Z",
            },
        },
        "question": {
            "type": "loan.decision",
            "data": {
                "application_id": "app_57060d045cbaafeb0170d8b9bdbf",
                "decision": "information_required",
                "lender_reference": "REF-2026-0815",
                "question": "Who are your three largest customers?",
            },
        },
    },
    "sign": {"contract": {"document_sha256": _HASH, "signer_name": "Li Wei", "consent": True}},
    "push_product": {
        "product": {
            "name": "Season credit",
            "currency": "CNY",
            "min_amount": "50000.00",
            "max_amount": "2000000.00",
            "min_term_months": 3,
            "max_term_months": 36,
            "amount_step": "10000.00",
            "repayment_methods": ["annuity", "equal_principal"],
            "price": {"type": "by_grade", "annual_rates_bps": {"A": 480, "B": 540, "C": 690}},
            "fees": [{"code": "arrangement", "charged": "at_payout", "share_bps": 50}],
            "disbursement_hours": 24,
            "min_grade": "C",
            "industries_excluded": ["K"],
            "eligibility": [
                {
                    "code": "two_years_of_taxes",
                    "when": {">=": [{"var": "tax_registration_months"}, 24]},
                    "text": "registered for tax for two years",
                }
            ],
            "monthly_capacity": "50000000.00",
            "joint_lending": {"company": 3, "bank": 7, "loans_from": 3, "total_from": "500000.00"},
            "valid_from": "2026-01-01",
            "valid_until": "2027-12-31",
        }
    },
    "approve_product": {"note": {"note": "as the credit committee decided"}},
    "reject_product": {"reason": {"reason": "the rate for grade C is that of last year"}},
    "propose_grade": {"grade": {"grade": "B", "since": "2027-01-01", "note": "yearly review"}},
    "decide_grade": {"confirm": {"action": "confirm", "note": "as the committee decided"}},
    "enter_blacklist": {
        "firm": {"taxpayer_id": "91310000MA100013XP", "source": "fraud desk", "reason": "forged invoices"}
    },
    "enter_entry": {
        "firm": {
            "list_name": "grey",
            "kind": "taxpayer_id",
            "value": "91310000MA100013XP",
            "source": "court",
            "reason_code": "enforcement",
            "text": "enforcement is pending",
            "valid_until": "2027-11-21T00:00:00Z",
        }
    },
    "propose_removal": {"note": {"note": "the claim has been paid"}},
    "decide_removal": {"confirm": {"action": "confirm", "note": "the court's file says the same"}},
    "screen": {
        "firm": {"subjects": [{"kind": "taxpayer_id", "value": "91310000MA100013XP"}], "max_age_seconds": 0},
    },
    "begin_import": {
        "upload": {"source": "court", "format": "csv", "encoding": "gb18030", "list_name": "black"},
        "stored": {"source": "court", "format": "jsonl", "object_key": "lists/incoming/court-2026-11.jsonl"},
    },
    "propose_model": {
        "rules": {"kind": "rules", "note": "as the committee decided", "document": {"model_id": "origination"}}
    },
    "approve_model": {"note": {"note": "reviewed with the committee"}},
    "reject_model": {"reason": {"reason": "the evidence covers one region only"}},
    "propose_promotion": {"note": {"note": "after four weeks as challenger"}},
    "roll_back": {"reason": {"reason": "approvals fell by half within a day"}},
    "change_rules": {"removal": {"note": "covered by another rule", "remove": ["tax_arrears"], "dry_run": True}},
    "start_simulation": {"month": {"from": "2026-10-01", "until": "2026-11-01", "limit": 1000}},
    "start_training": {"own": {}, "named": {"training_set": "training-sets/2026-q3"}},
    "record_outcome": {
        "late": {
            "application_id": "app_57060d045cbaafeb0170d8b9bdbf",
            "days_past_due": 12,
            "observed_until": "2026-11-20",
        }
    },
    "write_channel": {"channel": _CHANNEL},
    "try_channel": {
        "answer": {
            "channel": _CHANNEL,
            "sample": {"fields": {"taxpayer_id": "91310000MA100013XP"}, "pages": ['{"patents": 3}']},
        }
    },
    "write_plan": {
        "plan": {
            "plan_id": "thorough",
            "channels": [
                {"channel_id": "tax-bureau", "required": True},
                {"channel_id": "company-registry", "required": True},
                {"channel_id": "court-register"},
            ],
        }
    },
    "write_record": {"branch": {"branch_code": "310", "region": "east"}},
    "resolve": {
        "retry": {"action": "retry", "note": "the source is up again"},
        "approve": {"action": "approve", "note": "the invoices were seen"},
    },
    "replay_message": {"replay": {"note": "the bank has mended its side"}},
    "decide_message_replay": {"confirm": {"action": "confirm", "note": "the bank knows of no payment"}},
    "replay_webhook": {"replay": {"note": "the contract has been signed since"}},
    "decide_webhook_replay": {"confirm": {"action": "confirm", "note": "the bank confirms the payment"}},
    "replay_failed_event": {"replay": {"note": "the bus takes events again"}},
    "decide_failed_event_replay": {"confirm": {"action": "confirm", "note": "the bank knows of no payment"}},
    "receive_webhook": {
        "approved": {
            "type": "loan.decision",
            "data": {
                "application_id": "app_57060d045cbaafeb0170d8b9bdbf",
                "decision": "approved",
                "lender_reference": "L-2026-0815",
                "approved_amount": "100000.00",
                "currency": "CNY",
                "annual_rate_bps": 780,
                "term_months": 12,
            },
        },
        "failed": {
            "type": "loan.disbursement.failed",
            "data": {
                "application_id": "app_57060d045cbaafeb0170d8b9bdbf",
                "contract_id": "C-2026-0815",
                "reason_code": "ACCOUNT_CLOSED",
                "reason": "the account is closed",
            },
        },
    },
}
