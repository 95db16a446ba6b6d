"""Deploying to a real AWS account (docs/deploy-aws.md)."""
