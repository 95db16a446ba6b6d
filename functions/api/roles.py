"""Groups of roles that routes and views name."""

from __future__ import annotations

from creditmesh.kernel.caller import Role

EVERYONE = frozenset(Role)
APPLICANTS = frozenset({Role.BORROWER, Role.BANK})
LENDERS = frozenset({Role.LENDER})
MANAGERS = frozenset({Role.MANAGER})
OPERATORS = frozenset({Role.OPERATOR})
RISK_OFFICERS = frozenset({Role.RISK_OFFICER})
REPLAYERS = frozenset({Role.RISK_OFFICER, Role.AUDITOR})
