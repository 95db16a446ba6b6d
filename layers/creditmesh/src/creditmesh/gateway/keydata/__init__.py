"""Key data: a firm's third information made one clean row, and features drawn from it (C10, E16, G08, M03).

Standard library only, because the same files run in Lambda and on Spark's workers; ``spark`` alone needs pyspark.
"""
