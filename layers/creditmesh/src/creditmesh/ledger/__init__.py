"""Double entry: what lenders paid, are owed and got back, loan by loan."""
