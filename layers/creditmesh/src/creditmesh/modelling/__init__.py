"""Decision models as they are proposed, checked, compared, put in force and watched (M06, M08, S10)."""
