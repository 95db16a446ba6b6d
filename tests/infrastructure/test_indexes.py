"""What indexes hold: an index of whole items doubles what every write costs (issue 9 part 3)."""

from __future__ import annotations

from typing import Any

from tests.support.template import of_type

WHOLE = {
    "Products/by-catalogue": "read whole by every application, written when a lender changes a product",
    "Documents/by-listing": "read whole by every collection, written when an operator changes a channel",
}


def test_only_what_is_read_far_more_often_than_written_is_held_whole(source: dict[str, Any]) -> None:
    whole = {
        f"{name}/{index['IndexName']}"
        for name, table in of_type(source, "AWS::DynamoDB::Table").items()
        for index in table.get("GlobalSecondaryIndexes", [])
        if index["Projection"]["ProjectionType"] == "ALL"
    }
    assert whole == WHOLE.keys()
