"""Runs the blocks of a guide in Spark, on a cluster of two workers that are processes of their own.

Reads JSON: the blocks, as kind and text, and more statements. Writes a line of JSON for each that gives rows: its columns and rows.
"""

import json
import os
import sys
from pathlib import Path

import pyspark

# What pip installs has all that a cluster needs.
os.environ |= {
    "SPARK_HOME": str(Path(pyspark.__file__).parent),
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_WORKER_DIR": str(Path.cwd()),
}

from pyspark.sql import SparkSession

asked = json.load(sys.stdin)
# The guide's own session is this one.
spark = (
    SparkSession.builder.master("local-cluster[2,1,1024]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.memory", "1g")
    .config("spark.sql.shuffle.partitions", "4")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def show(**found):
    print(json.dumps(found, default=str), flush=True)


def run(statement):
    rows = spark.sql(statement)
    show(columns=rows.columns, rows=[[*row] for row in rows.collect()])


executors = spark.sparkContext.parallelize(range(8), 8).map(lambda _: os.getpid()).collect()
show(version=spark.version, master=spark.sparkContext.master, executors=sorted({*executors} - {os.getpid()}))
names = {}
for kind, text in asked["blocks"]:
    if kind == "py":
        exec(text, names)  # noqa: S102 - the guide's own code
    else:
        run(text)
for statement in asked["statements"]:
    run(statement)
# A lake whose folders and media have names that need care, over the former one.
exec(asked["blocks"][0][1].replace('"lake/', f'"{asked["other"]}/'), names)  # noqa: S102
run("SELECT * FROM assets")
spark.stop()
