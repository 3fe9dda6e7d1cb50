//! Writes MATLAB files of version 5 for tests: what MATLAB, Octave and scipy write, small enough to read here.

use std::io::Write;

/// A value of a variable.
#[derive(Clone)]
pub enum Mat {
    /// Doubles in this shape, the first dimension running fastest.
    Numbers(Vec<u32>, Vec<f64>),
    /// A number stored as bytes, as MATLAB does with small ones.
    Bytes(Vec<u32>, Vec<u8>),
    Text(String),
    Cell(Vec<u32>, Vec<Mat>),
    /// Fields with one value per element.
    Struct(Vec<u32>, Vec<(String, Vec<Mat>)>),
    /// An object of MATLAB of this class; what it holds is not written.
    Object(String),
}

pub fn column(values: &[f64]) -> Mat {
    Mat::Numbers(vec![values.len() as u32, u32::from(!values.is_empty())], values.to_vec())
}

pub fn row_cell(items: Vec<Mat>) -> Mat {
    Mat::Cell(vec![1, items.len() as u32], items)
}

pub fn texts(values: &[&str]) -> Mat {
    row_cell(values.iter().map(|v| Mat::Text((*v).to_owned())).collect())
}

pub fn scalar_struct(fields: Vec<(&str, Mat)>) -> Mat {
    Mat::Struct(vec![1, 1], fields.into_iter().map(|(n, v)| (n.to_owned(), vec![v])).collect())
}

#[derive(Clone, Copy)]
pub struct Writer {
    pub big_endian: bool,
    pub deflated: bool,
}

impl Writer {
    pub fn file(self, variables: &[(&str, Mat)]) -> Vec<u8> {
        let mut bytes = format!("{:<124}", "MATLAB 5.0 MAT-file, Platform: test").into_bytes();
        bytes.extend(if self.big_endian { [1, 0] } else { [0, 1] });
        bytes.extend(if self.big_endian { b"MI" } else { b"IM" });
        for (name, value) in variables {
            let matrix = self.matrix(name, value);
            if self.deflated {
                let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                zlib.write_all(&matrix).unwrap();
                let packed = zlib.finish().unwrap();
                bytes.extend(self.word(15));
                bytes.extend(self.word(packed.len() as u32));
                bytes.extend(packed);
            } else {
                bytes.extend(matrix);
            }
        }
        bytes
    }

    fn word(self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn element(self, kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !data.is_empty() && data.len() <= 4 {
            bytes.extend(self.word((data.len() as u32) << 16 | kind));
        } else {
            bytes.extend(self.word(kind));
            bytes.extend(self.word(data.len() as u32));
        }
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn words(self, kind: u32, values: &[u32]) -> Vec<u8> {
        self.element(kind, &values.iter().flat_map(|&v| self.word(v)).collect::<Vec<u8>>())
    }

    fn matrix(self, name: &str, value: &Mat) -> Vec<u8> {
        if let Mat::Object(class) = value {
            let mut body = self.words(6, &[17, 0]);
            [name, "MCOS", class].iter().for_each(|text| body.extend(self.element(1, text.as_bytes())));
            body.extend(self.matrix("", &Mat::Bytes(vec![6, 1], vec![221, 2, 1, 1, 1, 1])));
            return self.element(14, &body);
        }
        let (class, dims) = match value {
            Mat::Numbers(dims, _) | Mat::Bytes(dims, _) => (6, dims.clone()),
            Mat::Text(text) => (4, vec![1, text.chars().count() as u32]),
            Mat::Cell(dims, _) => (1, dims.clone()),
            Mat::Struct(dims, _) => (2, dims.clone()),
            Mat::Object(_) => (17, vec![]),
        };
        let mut body = self.words(6, &[class, 0]);
        body.extend(self.words(5, &dims));
        body.extend(self.element(1, name.as_bytes()));
        match value {
            Mat::Numbers(_, values) => {
                let bytes = |v: &f64| if self.big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
                body.extend(self.element(9, &values.iter().flat_map(bytes).collect::<Vec<u8>>()));
            }
            Mat::Bytes(_, values) => body.extend(self.element(2, values)),
            Mat::Text(text) => body.extend(self.element(16, text.as_bytes())),
            Mat::Object(_) => {}
            Mat::Cell(_, items) => items.iter().for_each(|item| body.extend(self.matrix("", item))),
            Mat::Struct(dims, fields) => {
                body.extend(self.words(5, &[32]));
                let names: Vec<u8> = fields.iter().flat_map(|(n, _)| format!("{n:\0<32}").into_bytes()).collect();
                body.extend(self.element(1, &names));
                for k in 0..dims.iter().product::<u32>() as usize {
                    fields.iter().for_each(|(_, values)| body.extend(self.matrix("", &values[k])));
                }
            }
        }
        self.element(14, &body)
    }
}

/// Plain and in the byte order of this machine.
pub const PLAIN: Writer = Writer { big_endian: false, deflated: false };
/// As MATLAB has written since version 7.
pub const DEFLATED: Writer = Writer { big_endian: false, deflated: true };
