"""Decision models as they are proposed, checked, compared, put in force and watched."""
