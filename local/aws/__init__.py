"""Deployment to a real AWS account (docs/how-to/deploy-aws.md)."""
