"""Tables: columns with units and descriptions, the same through CSV, ECSV, VOTable, FITS and Parquet.

Identifiers, integers or text, are the same in every format, and numbers that stand for "not measured" become missing
when a table is loaded. Integers come back as 64-bit ones everywhere, and a missing float is NaN. Units are text, never
interpreted. Columns that cannot be used, such as those of several values a row, are left out with their reason; only
a setting that names one is refused. What the formats cannot hold:

- CSV has no types: a text column of numbers only comes back as numbers, one of `true` and `false` only as booleans, a
  column without any value as missing numbers, and 32-bit numbers as 64-bit ones. A missing text is an empty field, an
  empty text is `""`.
- FITS text is ASCII and loses blanks at its end; an empty text comes back as missing. Other text is refused.
- VOTable text cannot have the control characters that XML leaves out, and is refused with them; an empty text comes
  back as missing.
- ECSV and Parquet hold everything.

FITS, VOTable and ECSV have no dates; a table with such a column is refused.
"""

from metalight.tables.columns import find_column, match_columns, require_numbers
from metalight.tables.files import (
    list_table_files,
    load_rows,
    load_table,
    peek_table,
    require_storable,
    require_writable,
    save_table,
)
from metalight.tables.galaxies import load_galaxies, name_galaxies, require_object_ids, save_galaxies
from metalight.tables.missing import build_text, replace_sentinels
from metalight.tables.table import SENTINELS, ColumnInfo, Table, describe_reading, take_rows
