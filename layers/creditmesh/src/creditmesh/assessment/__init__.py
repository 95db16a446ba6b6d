"""Assessing an application: scoring requests to Spark, the fallback, the report.

The model itself lives in `risk`, which Spark shares and which therefore knows nothing of AWS.
"""
