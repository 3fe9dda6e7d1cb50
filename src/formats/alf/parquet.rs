//! Parquet tables as pandas writes them: flat columns of numbers, truth values and texts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;

use crate::formats::FormatError;
use crate::recording::Column;

/// Tables of trials and clusters are shorter.
const MOST_ROWS: i64 = 1_000_000;
const MOST_COLUMNS: usize = 1000;
/// A table of that many rows is smaller.
const LARGEST: u64 = 1 << 30;

/// All columns that can be read, with their names. Missing numbers are NaN, missing texts empty.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Column)>, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let claimed = file.metadata().map_err(unreadable)?.len();
    if claimed > LARGEST {
        let reason = format!("at most {LARGEST} are read of a table");
        return Err(FormatError::TooBig { path: path.to_owned(), object: "the table".to_owned(), claimed, reason });
    }
    // The parquet reader trusts what a table says about itself here and there.
    let read = catch_unwind(AssertUnwindSafe(|| table(file)));
    let read = read.unwrap_or_else(|_| Err("its pages contradict each other".to_owned()));
    read.map_err(|problem| FormatError::corrupt(path, "the parquet table", problem))
}

fn table(file: std::fs::File) -> Result<Vec<(String, Column)>, String> {
    let reader = SerializedFileReader::new(file).map_err(|e| said(&e))?;
    let meta = reader.metadata().file_metadata();
    let rows = meta.num_rows();
    if !(0..=MOST_ROWS).contains(&rows) {
        return Err(format!("it claims {rows} rows, expected at most {MOST_ROWS}"));
    }
    let fields = meta.schema_descr().root_schema().get_fields();
    if fields.len() > MOST_COLUMNS {
        return Err(format!("it has {} columns, expected at most {MOST_COLUMNS}", fields.len()));
    }
    let mut columns: Vec<(String, Vec<Field>)> = fields.iter().map(|f| (f.name().to_owned(), Vec::new())).collect();
    let mut read = 0;
    for row in reader.get_row_iter(None).map_err(|e| said(&e))? {
        let row = row.map_err(|e| said(&e))?;
        for ((_, field), (_, to)) in row.get_column_iter().zip(&mut columns) {
            to.push(field.clone());
        }
        read += 1;
        if read > MOST_ROWS {
            return Err(format!("it has more than {MOST_ROWS} rows"));
        }
    }
    Ok(columns.into_iter().filter_map(|(name, fields)| Some((name, column(&fields)?))).collect())
}

fn said(error: &::parquet::errors::ParquetError) -> String {
    let text = error.to_string();
    if text.contains("Disabled feature") || text.contains("codec") {
        return format!("{text}; write it again with pandas and compression='snappy'");
    }
    text
}

/// `None` for lists and records.
fn column(fields: &[Field]) -> Option<Column> {
    let first = fields.iter().find(|f| !matches!(f, Field::Null));
    Some(match first {
        Some(Field::Bool(_)) if fields.iter().all(|f| matches!(f, Field::Bool(_))) => {
            Column::Bool(fields.iter().map(|f| matches!(f, Field::Bool(true))).collect())
        }
        Some(Field::Str(_) | Field::Bytes(_)) => Column::Text(fields.iter().map(text).collect()),
        _ => {
            let whole: Option<Vec<i64>> = fields.iter().map(integer).collect();
            match whole {
                Some(whole) if first.is_some() => Column::Int(whole),
                _ => Column::Float(fields.iter().map(number).collect::<Option<_>>()?),
            }
        }
    })
}

fn text(field: &Field) -> String {
    match field {
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned(),
        _ => String::new(),
    }
}

fn integer(field: &Field) -> Option<i64> {
    Some(match *field {
        Field::Byte(v) => i64::from(v),
        Field::Short(v) => i64::from(v),
        Field::Int(v) => i64::from(v),
        Field::Long(v) => v,
        Field::UByte(v) => i64::from(v),
        Field::UShort(v) => i64::from(v),
        Field::UInt(v) => i64::from(v),
        Field::ULong(v) => i64::try_from(v).ok()?,
        _ => return None,
    })
}

fn number(field: &Field) -> Option<f64> {
    match *field {
        Field::Null => Some(f64::NAN),
        Field::Double(v) => Some(v),
        Field::Float(v) => Some(f64::from(v)),
        Field::Bool(v) => Some(f64::from(u8::from(v))),
        _ => integer(field).map(|v| v as f64),
    }
}
