//! What the log will say about tables: the statements between the place where a reader is and the
//! moment when the server described its tables.
//!
//! They are looked for by a reading of their own, which goes over each part of the log once, however
//! often the tables are described anew.

use super::connect::Server;
use super::names::{Changed, Names};
use super::skim::{Line, Skim};
use crate::event::{Gtid, GtidSet, TableName};
use crate::source::{SourceError, Span};
use crate::sql::Logged;

/// The statements about tables ahead of a reader.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    statements: Vec<(Gtid, Changed)>,
    /// What was looked through, or read before the first look.
    known: GtidSet,
}

impl Ahead {
    /// Looks through what is not known between the place where everything in `read` was read, and
    /// `to`.
    pub async fn look(
        &mut self,
        server: &Server,
        names: &Names,
        read: &GtidSet,
        to: &GtidSet,
    ) -> Result<(), SourceError> {
        if !self.knows(read, to) {
            let found = scan(server, names, &self.known, to).await?;
            self.add(found, to);
        }
        Ok(())
    }

    /// Whether everything up to `to` is known; what is behind the reader is forgotten.
    fn knows(&mut self, read: &GtidSet, to: &GtidSet) -> bool {
        self.statements.retain(|(gtid, _)| !read.contains(gtid));
        self.known.union(read);
        self.known.contains_set(to)
    }

    fn add(&mut self, found: Vec<(Gtid, Changed)>, to: &GtidSet) {
        self.statements.extend(found);
        self.known.union(to);
    }

    /// The first statement that may have changed a table; the transaction being read, `current`,
    /// has told its own before its rows.
    pub fn first_change(
        &self,
        table: &TableName,
        read: &GtidSet,
        current: Option<Gtid>,
    ) -> Option<Gtid> {
        let later = |gtid: &Gtid| !read.contains(gtid) && current.as_ref() != Some(gtid);
        let touches = |changed: &Changed| match changed {
            Changed::Nothing => false,
            Changed::Tables(tables) => tables.contains(table),
            Changed::Everything => true,
        };
        let mut statements = self.statements.iter();
        statements.find(|(gtid, changed)| later(gtid) && touches(changed)).map(|(gtid, _)| *gtid)
    }
}

/// All statements about tables between two places of the log. Nothing else of it matters here: not
/// what was prepared before, nor what cannot be streamed.
async fn scan(
    server: &Server,
    names: &Names,
    from: &GtidSet,
    to: &GtidSet,
) -> Result<Vec<(Gtid, Changed)>, SourceError> {
    let span = Span { start: from.clone(), until: Some(to.clone()) };
    let mut log = Skim::open(server, span).await?;
    let mut statements = Vec::new();
    while let Some(line) = log.next().await? {
        if let (Line::Statement(logged, database), Some(gtid)) = (line, log.named()) {
            let changed = names.changed(&logged, &database);
            if changed != Changed::Nothing && !matches!(logged, Logged::Truncate(_)) {
                statements.push((gtid, changed));
            }
        }
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(end: u64) -> GtidSet {
        format!("0-1-{end}").parse().unwrap()
    }

    fn gtid(sequence: u64) -> Gtid {
        Gtid::MariaDb { domain: 0, server: 1, sequence }
    }

    #[test]
    fn each_part_of_the_log_is_looked_through_once() {
        let (a, b) = (TableName::new("ks", "a"), TableName::new("ks", "b"));
        let mut ahead = Ahead::default();
        assert!(!ahead.knows(&set(10), &set(20)));
        assert_eq!(ahead.known, set(10), "where the first look begins");
        let changed = |table: &TableName| Changed::Tables(vec![table.clone()]);
        ahead.add(vec![(gtid(12), changed(&a)), (gtid(15), changed(&b))], &set(20));
        assert_eq!(ahead.first_change(&a, &set(10), None), Some(gtid(12)));
        assert_eq!(ahead.first_change(&a, &set(11), Some(gtid(12))), None);
        assert_eq!(ahead.first_change(&a, &set(12), None), None);
        assert!(ahead.knows(&set(12), &set(20)));
        // The tables were described anew: only what came since is looked through.
        assert!(!ahead.knows(&set(13), &set(30)));
        assert_eq!(ahead.known, set(20));
        ahead.add(vec![(gtid(25), Changed::Everything)], &set(30));
        assert_eq!(ahead.first_change(&b, &set(13), None), Some(gtid(15)));
        assert_eq!(ahead.first_change(&a, &set(13), None), Some(gtid(25)));
        assert!(!ahead.knows(&set(40), &set(41)));
        assert!(ahead.known == set(40) && ahead.statements.is_empty());
    }
}
