//! Compound statements: those between a BEGIN and its END, each with a `;` of its own, are one.
//!
//! Words are counted, nothing is understood: the server does that. A body without BEGIN ends at its
//! first `;`.

/// How far a statement has been read.
#[derive(Debug, Default)]
pub(super) struct Compound<'a> {
    place: Place,
    /// BEGINs and CASEs that have no END yet.
    depth: usize,
    previous: &'a str,
}

/// What is known of the statement.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    /// Behind CREATE or ALTER.
    Created,
    /// Behind DEFINER, where names may stand.
    Definer,
    /// Behind BEGIN, which may be a transaction's.
    Begun,
    /// It is a stored program or an anonymous block.
    Program,
    /// It is anything else.
    Other,
}

impl<'a> Compound<'a> {
    /// Whether a `;` is within it.
    pub fn is_open(&self) -> bool {
        self.depth > 0
    }

    /// Takes its next word or sign.
    pub fn read(&mut self, word: &'a str) {
        let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
        self.place = match self.place {
            Place::Start if is(&["CREATE", "ALTER"]) => Place::Created,
            Place::Start if is(&["BEGIN"]) => Place::Begun,
            Place::Begun if is(&["NOT"]) => {
                self.depth = 1;
                Place::Program
            }
            Place::Created | Place::Definer if is(&PROGRAMS) => Place::Program,
            Place::Created if is(&["OR", "REPLACE", "AGGREGATE"]) => Place::Created,
            Place::Created if is(&["DEFINER"]) => Place::Definer,
            Place::Definer if !is(&["VIEW", "SQL"]) => Place::Definer,
            Place::Program => {
                self.count(word);
                Place::Program
            }
            Place::Start | Place::Created | Place::Definer | Place::Begun | Place::Other => {
                Place::Other
            }
        };
        self.previous = word;
    }

    fn count(&mut self, word: &str) {
        let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
        let follows_end = self.previous.eq_ignore_ascii_case("END");
        if self.previous == "." {
            // A column.
        } else if is(&["BEGIN"]) || is(&["CASE"]) && !follows_end {
            self.depth += 1;
        } else if is(&["END"]) {
            self.depth = self.depth.saturating_sub(1);
        } else if follows_end && is(&["IF", "LOOP", "WHILE", "REPEAT", "FOR"]) {
            // These were not counted where they began.
            self.depth += 1;
        }
    }
}

/// What has a body of statements.
const PROGRAMS: [&str; 5] = ["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"];
