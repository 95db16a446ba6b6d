"""Lists that stop an application (C12, M04)."""
