"""Key data: third information is cleaned into one row per firm, from which the features are computed.

Standard library only, because the same files run in Lambda and on Spark's workers; only ``spark`` needs pyspark.
"""
