"""Writes the Parquet files of the tests with pyarrow: the same table in several ways, and one of lists.

    python -m venv v && v/bin/pip install pyarrow
    v/bin/python tests/data/parquet/record.py

The recorded files were written by pyarrow 26.0.1. `table.csv` holds the same values as text.
"""

import csv
import decimal
import math
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
ROWS = 257  # more than one page and one row group, and no multiple of eight


def gap(i, every, value):
    """A missing value now and then."""
    return None if i % every == 0 else value


COLUMNS = {
    "id": (pa.int64(), [(i - 5) * 10**12 for i in range(ROWS)]),
    "small": (pa.int32(), [gap(i, 7, i * 3 - 100) for i in range(ROWS)]),
    "byte": (pa.uint8(), [255 - i % 200 for i in range(ROWS)]),
    "huge": (pa.uint64(), [2**64 - 1 - i for i in range(ROWS)]),
    "single": (pa.float32(), [gap(i, 5, i / 8 - 3) for i in range(ROWS)]),
    "double": (pa.float64(), [math.nan if i % 11 == 3 else math.sin(i) * 10.0 ** (i % 30 - 15) for i in range(ROWS)]),
    "sold": (pa.bool_(), [gap(i, 9, i % 3 == 0) for i in range(ROWS)]),
    "city": (pa.string(), [gap(i, 4, ["Bern", "Zürich", "Genève, VD", ""][i % 3]) for i in range(ROWS)]),
    "note": (pa.string(), [f"row {i} \"quoted\"" for i in range(ROWS)]),
    "price": (pa.decimal128(9, 2), [gap(i, 6, decimal.Decimal(i * 37 - 999) / 100) for i in range(ROWS)]),
    "nothing": (pa.float64(), [None] * ROWS),
}

table = pa.table(
    {name: pa.array(values, kind) for name, (kind, values) in COLUMNS.items()},
    schema=pa.schema([pa.field(name, kind, nullable=name not in ("id", "note")) for name, (kind, _) in COLUMNS.items()]),
)


def write(name, what=table, **options):
    pq.write_table(what, HERE / f"{name}.parquet", store_decimal_as_integer=True, store_schema=False, **options)


# What data frames write by default, but with small groups and pages.
write("snappy", row_group_size=100, data_page_size=256, write_batch_size=16)
write("plain", compression="none", use_dictionary=False)
write("gzip_v2", compression="gzip", data_page_version="2.0", use_dictionary=["city"], column_encoding=None)
write("snappy_v2", data_page_version="2.0", row_group_size=100)

# What other programs write by default: each kind of value in the encoding of its own.
write(
    "encodings",
    compression="lz4",
    use_dictionary=False,
    data_page_size=1024,
    write_batch_size=64,
    column_encoding={
        "id": "DELTA_BINARY_PACKED",
        "small": "DELTA_BINARY_PACKED",
        "single": "BYTE_STREAM_SPLIT",
        "double": "BYTE_STREAM_SPLIT",
        "sold": "RLE",
        "city": "DELTA_BYTE_ARRAY",
        "note": "DELTA_LENGTH_BYTE_ARRAY",
    },
)

few = table.select(["id", "city"]).slice(0, 9)
write("zstd", few, compression="zstd")
write("delta", few.select(["id"]), use_dictionary=False, column_encoding={"id": "DELTA_BINARY_PACKED"})
write("nested", pa.table({"a": [[1, 2], [3]]}))


def text(value):
    if value is None or value != value:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


with open(HERE / "table.csv", "w", newline="") as file:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([text(values[i]) for _, values in COLUMNS.values()] for i in range(ROWS))
