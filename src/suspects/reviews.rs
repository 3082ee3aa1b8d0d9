//! `reviews.csv`: what a person has said of images.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::SuspectsError;
use crate::pool::Pool;

/// The name of the reviews in the folder of the lists, unless the config names another file.
pub const REVIEWS_FILE: &str = "reviews.csv";
/// The columns that are looked at; others are passed over, so that a list of suspects with two more columns will do.
const PATH: &str = "path";
const VERDICT: &str = "verdict";
const NEW_LABEL: &str = "new_label";
/// Problems that are told at once.
const TOLD: usize = 20;

/// What is to be done with an image, whatever models say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its label is right: it is no suspect.
    Keep,
    /// It is not to be trained on.
    Drop,
    /// Its label is this one.
    Relabel(u32),
}

impl Verdict {
    /// The word for it, as it stands in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::Relabel(_) => "relabel",
        }
    }

    /// The verdict of a word, and of a label where it needs one.
    pub fn of(word: &str, label: Option<u32>) -> Option<Self> {
        match (word, label) {
            ("keep", _) => Some(Self::Keep),
            ("drop", _) => Some(Self::Drop),
            ("relabel", Some(label)) => Some(Self::Relabel(label)),
            _ => None,
        }
    }
}

/// Verdicts by sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviews(BTreeMap<u32, Verdict>);

impl FromIterator<(u32, Verdict)> for Reviews {
    fn from_iter<I: IntoIterator<Item = (u32, Verdict)>>(verdicts: I) -> Self {
        Self(verdicts.into_iter().collect())
    }
}

impl Reviews {
    /// Reads a CSV file with a header that has the columns `path` (as the pool lists it, or absolute), `verdict` (`keep`,
    /// `drop`, `relabel`, or nothing for not reviewed) and, for `relabel`, `new_label`, a class below `classes`.
    ///
    /// A file that is not there holds no reviews.
    ///
    /// # Errors
    /// The file cannot be read, or has rows that make no sense: then none of it counts.
    pub fn read(path: &Path, pool: &Pool, classes: u32) -> Result<Self, SuspectsError> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(SuspectsError::Io { path: path.to_owned(), source }),
            Ok(bytes) => bytes,
        };
        let mut problems = Problems { path, told: Vec::new(), more: 0 };
        let rows = rows(&bytes, classes, &mut problems);
        let reviews = found(rows, pool, &mut problems);
        problems.none().map(|()| reviews)
    }

    /// The verdict on a sample, if there is one.
    pub fn of(&self, id: u32) -> Option<Verdict> {
        self.0.get(&id).copied()
    }

    /// Whether a sample is not to be trained on.
    pub fn drops(&self, id: u32) -> bool {
        self.of(id) == Some(Verdict::Drop)
    }

    /// The label that a sample was given, if it was.
    pub fn label(&self, id: u32) -> Option<u32> {
        match self.of(id) {
            Some(Verdict::Relabel(label)) => Some(label),
            _ => None,
        }
    }

    /// All of them, by sample.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Verdict)> + '_ {
        self.0.iter().map(|(&id, &verdict)| (id, verdict))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is wrong with a file, line by line.
struct Problems<'a> {
    path: &'a Path,
    told: Vec<String>,
    more: usize,
}

impl Problems<'_> {
    fn add(&mut self, line: u64, problem: impl std::fmt::Display) {
        if self.told.len() < TOLD {
            self.told.push(format!("{}:{line}: {problem}", self.path.display()));
        } else {
            self.more += 1;
        }
    }

    fn none(mut self) -> Result<(), SuspectsError> {
        if self.told.is_empty() {
            return Ok(());
        }
        if self.more > 0 {
            self.told.push(format!("and {} more", self.more));
        }
        Err(SuspectsError::Reviews { problems: self.told })
    }
}

/// By path: the line and the verdict.
type Rows = HashMap<Vec<u8>, (u64, Verdict)>;

fn rows(bytes: &[u8], classes: u32, problems: &mut Problems<'_>) -> Rows {
    // A spreadsheet may begin a file with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut rows = Rows::new();
    let mut columns = None;
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                problems.add(reader.position().line(), error);
                break;
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        let Some((path, verdict, label)) = columns else {
            let find = |name: &str| record.iter().position(|cell| cell.trim_ascii() == name.as_bytes());
            let (Some(path), Some(verdict)) = (find(PATH), find(VERDICT)) else {
                problems.add(line, "the header must name the columns path and verdict, and new_label for `relabel`");
                return rows;
            };
            columns = Some((path, verdict, find(NEW_LABEL)));
            continue;
        };
        let cell = |at: usize| record.get(at).unwrap_or_default().trim_ascii();
        if cell(verdict).is_empty() {
            continue;
        }
        match judged(cell(verdict), label.map(cell).unwrap_or_default(), classes) {
            Err(problem) => problems.add(line, problem),
            Ok(verdict) => {
                // Blanks may belong to a path.
                let path = record.get(path).unwrap_or_default().to_vec();
                match rows.insert(path, (line, verdict)) {
                    Some((first, other)) if other != verdict => problems.add(
                        line,
                        format!("says {}, line {first} says {}; keep one of the two", verdict.word(), other.word()),
                    ),
                    _ => {}
                }
            }
        }
    }
    if columns.is_none() && problems.told.is_empty() {
        problems.add(1, "is empty; write the header path,verdict,new_label, or take the file away");
    }
    rows
}

fn judged(verdict: &[u8], label: &[u8], classes: u32) -> Result<Verdict, String> {
    let (word, label) = (String::from_utf8_lossy(verdict).to_lowercase(), String::from_utf8_lossy(label));
    let number = label.parse::<u32>().ok();
    match (Verdict::of(&word, number), number) {
        (Some(Verdict::Relabel(label)), _) if label >= classes => {
            Err(format!("new_label {label} is outside the {classes} classes, 0 to {}", classes.saturating_sub(1)))
        }
        (Some(verdict), _) => Ok(verdict),
        (None, None) if word == "relabel" => {
            Err(format!("new_label is {label:?}; relabel needs a class, 0 to {}", classes.saturating_sub(1)))
        }
        (None, _) => Err(format!("verdict is {word:?}; write keep, drop or relabel, or nothing for not reviewed")),
    }
}

/// The samples of the paths. One walk over the pool: a table of all its paths would be larger than the pool itself.
fn found(mut rows: Rows, pool: &Pool, problems: &mut Problems<'_>) -> Reviews {
    let mut verdicts = BTreeMap::new();
    for id in 0..pool.len() {
        if rows.is_empty() {
            break;
        }
        let rows = [rows.remove(pool.listed(id)), rows.remove(pool.path(id).as_os_str().as_bytes())];
        for (line, verdict) in rows.into_iter().flatten() {
            if verdicts.insert(id, verdict).is_some_and(|other| other != verdict) {
                let path = pool.path(id);
                problems
                    .add(line, format!("another row says something else of {}; keep one of the two", path.display()));
            }
        }
    }
    let mut strangers: Vec<(u64, Vec<u8>)> = rows.into_iter().map(|(path, (line, _))| (line, path)).collect();
    strangers.sort_unstable();
    for (line, path) in strangers {
        let (path, pool) = (String::from_utf8_lossy(&path), pool.source().display());
        problems.add(line, format!("{path} is not in {pool}; write the path as it stands there, or absolute"));
    }
    Reviews(verdicts)
}
