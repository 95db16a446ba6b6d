"""Key data: a firm's third information made one clean row, and features drawn from it.

Standard library only, because the same files run in Lambda and on Spark's workers; ``spark`` alone needs pyspark.
"""
