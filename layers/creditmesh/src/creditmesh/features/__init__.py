"""Key data: a firm's third information becomes one clean row, from which features are computed.

Standard library only, because the same files run in Lambda and on Spark's workers; ``spark`` alone needs pyspark.
"""
