"""Writes the page of the codes that stand beside sentences; ``make api`` writes it to `PATH`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from creditmesh.authorization.model import PROBLEMS
from creditmesh.authorization.records import ConsentNote
from creditmesh.gateway.channels.dry_run import StepDetail
from creditmesh.gateway.channels.reasons import CallReason
from creditmesh.intake.notes import Note
from creditmesh.platform.deliveries import DeliveryFault

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "codes.md"

_HEAD = """# Codes of notes and reasons
Where an answer has a sentence that the platform wrote, a stable code with parameters stands beside it.
The sentence is English and is made of them, so a client can say it in another language.
What a person, a lender or a source wrote has no code. Entries that are older than their codes have the sentence only.

Codes of errors are in [the REST API](api.md), those of what keeps a product from fitting in [offers](offers.md), and
reason codes of decisions in the model. `make api` writes this page from the tables in the code.
"""
_TABLES: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (
        "Applications and tasks",
        "`note_code` and `note_parameters` of a timeline's entry, `note_code` of an operator's task, "
        "`outcome_note_code` and `outcome_note_parameters` of an application. `reasons` of a task are the name of the "
        "process's error, or the reason codes of a referral.",
        Note.SENTENCES,
    ),
    (
        "Consents",
        "`note_code` and `note_parameters` of an entry in the history of consents.",
        ConsentNote.SENTENCES,
    ),
    (
        "Sources",
        "`code` and `parameters` of a report's source: why its collection ended with its outcome. `rule` of "
        "`schema_broken` is a keyword of JSON Schema, `reason` of `refused` the source's own code.",
        CallReason.SENTENCES,
    ),
    (
        "Dry runs of channels",
        "`code` and `parameters` of a step; besides those of sources:",
        {code: sentence for code, sentence in StepDetail.SENTENCES.items() if code not in CallReason.SENTENCES},
    ),
    (
        "Undelivered messages",
        "`last_error_code` and `last_error_parameters` of a message in the outbox.",
        DeliveryFault.SENTENCES,
    ),
)


def written() -> str:
    """The page."""
    parts = [_HEAD]
    for title, where, sentences in _TABLES:
        rows = [f"| `{code}` | {_shown(code, sentence)} |" for code, sentence in sorted(sentences.items())]
        parts.append("\n".join([f"## {title}", f"{where}\n", "| code | sentence |", "|---|---|", *rows, ""]))
    problems = ", ".join(f"`{problem}`" for problem in sorted(PROBLEMS))
    parts.append(
        "## Rights\n"
        "`problem` of a right and of a refused use, `cause` of a blind spot, `authorization_problem` of an application "
        f"and `problem` in parameters: {problems}, or the source's own code where it has refused the right.\n"
    )
    return "\n".join(parts)


def _shown(code: str, sentence: str) -> str:
    return "the code itself" if sentence == code else sentence


if __name__ == "__main__":
    PATH.write_text(written(), encoding="utf-8")
