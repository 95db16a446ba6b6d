"""The life of decision models: proposal, checks, comparison, promotion, monitoring."""
